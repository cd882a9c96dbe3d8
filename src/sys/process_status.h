// What /proc/PID/status and /proc/PID/stat say, as far as it decides how a process or a thread is
// treated, or stands in a core.
#ifndef STILLFRAME_SYS_PROCESS_STATUS_H_
#define STILLFRAME_SYS_PROCESS_STATUS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace stillframe {

// From /proc/PID/status.
struct ProcessStatus {
  char state = '?';  // R S D T t Z X I
  pid_t thread_group = 0;
  pid_t parent = 0;
  pid_t tracer = 0;  // the tracing *thread*, 0 for none
  int seccomp = 0;   // 0 off, 1 strict, 2 filter
  uid_t uid = 0;     // the real one
  gid_t gid = 0;

  bool dead() const { return state == 'Z' || state == 'X'; }
};

// From /proc/PID/stat.
struct ProcessStat {
  char state = '?';
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  int nice = 0;
  uint64_t flags = 0;       // PF_* of the kernel
  uint64_t start_time = 0;  // clock ticks since boot
  // CPU time in clock ticks, 1/100 s each: of a thread, or of all threads of the process.
  uint64_t user_ticks = 0;
  uint64_t system_ticks = 0;
  uint64_t children_user_ticks = 0;  // of children that were waited for
  uint64_t children_system_ticks = 0;

  bool dead() const { return state == 'Z' || state == 'X'; }
  bool exiting() const { return (flags & 0x4) != 0; }  // PF_EXITING, set before the memory goes
  bool kernel_thread() const { return (flags & 0x00200000) != 0; }
  // Threads of the kernel that live in a user's process: io_uring's (PF_IO_WORKER) and vhost's
  // (PF_USER_WORKER). They have no registers of their own and can't be traced.
  bool kernel_worker() const { return (flags & (0x00000010 | 0x00004000)) != 0; }
};

// No allocation in any of these; async-signal-safe. Empty for text that is not what it should be.
std::optional<ProcessStatus> ParseStatus(std::string_view text);
std::optional<ProcessStat> ParseStat(std::string_view text);

// Read from below `directory`, a descriptor of /proc/PID; `path` is "status", or "task/TID/status".
// Empty when it is gone.
std::optional<ProcessStatus> ReadStatus(int directory, const char* path);
std::optional<ProcessStat> ReadStat(int directory, const char* path);

// A thread that still has its memory: the leader, or when that has exited, any other; what /proc
// tells of an exited leader tells nothing of the process. `directory`: its /proc/PID. 0 when there
// is none. No allocation; async-signal-safe.
pid_t FindLiveThread(int directory, pid_t pid);
// The same by number; `pid` itself where there is none.
pid_t LiveThreadOf(pid_t pid);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PROCESS_STATUS_H_
