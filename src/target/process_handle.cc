#include "target/process_handle.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sys/pidfd.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"

namespace stillframe {
namespace {

std::string Attaching(pid_t pid) { return "attaching to process " + std::to_string(pid) + ": "; }

Result<void> CheckNumber(pid_t pid) {
  if (pid <= 0) return Fail(ErrorCode::kUsage, Attaching(pid) + "a pid is a number above zero");
  if (pid == getpid()) {
    return Fail(ErrorCode::kUsage, Attaching(pid) + "that is this very process",
                "in a program of your own, save its memory through OpenOwnProcess");
  }
  return {};
}

Result<UniqueFd> OpenDirectory(pid_t pid) {
  UniqueFd directory(open(ProcPath("/proc/", pid, "").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) return directory;
  if (errno == ENOENT) return Fail(ErrorCode::kTargetGone, Attaching(pid) + "no such process");
  return FailErrno(errno, Attaching(pid) + "opening its directory in /proc");
}

Result<void> CheckKind(pid_t pid, const ProcessStatus& status, const ProcessStat& stat,
                       pid_t live_thread) {
  if (status.thread_group != pid) {
    return Fail(ErrorCode::kUsage, Attaching(pid) + "that is a thread, not a process",
                "use the process's own pid, " + std::to_string(status.thread_group));
  }
  if (stat.kernel_thread()) {
    return Fail(ErrorCode::kUsage,
                Attaching(pid) + "it is a kernel thread, which has no memory to save");
  }
  if (live_thread == 0) {
    return Fail(
        ErrorCode::kUsage,
        Attaching(pid) + "it is a zombie: it has exited, and its parent has not noticed yet");
  }
  if (status.tracer != 0) {
    return Fail(ErrorCode::kPermission,
                Attaching(pid) + "process " + std::to_string(status.tracer) + " traces it already",
                "end that debugger or tracer (or that other save) first");
  }
  return {};
}

Result<void> CheckExecutable(pid_t pid, int directory, pid_t live_thread) {
  const UniqueFd exe(
      openat(directory, TaskPath(live_thread, "exe").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!exe) {
    // To read the link takes the right to trace it; the file itself may be out of reach, and then
    // the registers have to tell.
    char name[1];
    if (readlinkat(directory, TaskPath(live_thread, "exe").c_str(), name, sizeof(name)) >= 0)
      return {};
    if (errno == ENOENT || errno == ESRCH) {
      return Fail(ErrorCode::kTargetGone, Attaching(pid) + "it exited meanwhile");
    }
    return FailErrno(errno, Attaching(pid) + "looking at its program",
                     "run as the user that owns it, or as root");
  }
  std::array<unsigned char, EI_CLASS + 1> ident{};
  if (pread(exe.get(), ident.data(), ident.size(), 0) != static_cast<ssize_t>(ident.size()))
    return {};
  if (ident[EI_CLASS] == ELFCLASS32) {
    return Fail(ErrorCode::kUnsupported,
                Attaching(pid) + "it is a 32-bit program; only 64-bit ones can be saved");
  }
  return {};
}

// A process that uses the target's address space.
struct Sharer {
  pid_t pid = 0;
  UniqueFd pidfd;
};

std::optional<Sharer> FindSharer(pid_t thread, pid_t process) {
  NumberedEntries processes(AT_FDCWD, "/proc");
  while (const pid_t other = processes.Next()) {
    if (other == process || SameMemory(thread, other) != true) continue;
    Sharer sharer{.pid = other, .pidfd = OpenPidfd(other)};
    if (sharer.pidfd) return sharer;
  }
  return std::nullopt;
}

// Waits for a quarter of a second: longer than a vfork child has the memory.
bool GoesAway(const Sharer& sharer, pid_t thread) {
  constexpr int kLooks = 50;
  constexpr timespec kBetween{.tv_sec = 0, .tv_nsec = 5'000'000};
  for (int i = 0; i <= kLooks; ++i) {
    if (PidfdExited(sharer.pidfd.get()) || SameMemory(thread, sharer.pid) != true) return true;
    if (i < kLooks) nanosleep(&kBetween, nullptr);
  }
  return false;
}

bool HoldsFile(pid_t process, int fd) {
  NumberedEntries numbers(AT_FDCWD, ProcPath("/proc/", process, "fd").c_str());
  for (int number = -1; !numbers.error();) {
    number = numbers.Next();
    if (number == 0) break;
    if (SameFile(process, number, getpid(), fd) == true) return true;
  }
  // The list above can't tell descriptor 0 from its end.
  return SameFile(process, 0, getpid(), fd) == true;
}

}  // namespace

Result<ProcessHandle> OpenProcess(pid_t pid) {
  STILLFRAME_TRY(CheckNumber(pid));
  ProcessHandle handle;
  handle.pid = pid;
  STILLFRAME_ASSIGN(handle.directory, OpenDirectory(pid));
  const auto status = ReadStatus(handle.directory.get(), "status");
  const auto stat = ReadStat(handle.directory.get(), "stat");
  if (!status || !stat) return Fail(ErrorCode::kTargetGone, Attaching(pid) + "no such process");
  handle.start_time = stat->start_time;
  pid_t live_thread = FindLiveThread(handle.directory.get(), pid);
  if (live_thread == 0) {
    // A thread that takes its leader's place by exec can be missed by one look.
    constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 2'000'000};
    nanosleep(&kMoment, nullptr);
    live_thread = FindLiveThread(handle.directory.get(), pid);
  }
  STILLFRAME_TRY(CheckKind(pid, *status, *stat, live_thread));
  STILLFRAME_TRY(CheckExecutable(pid, handle.directory.get(), live_thread));
  handle.pidfd = OpenPidfd(pid);
  if (!handle.pidfd) {
    return FailErrno(errno, Attaching(pid) + "pidfd_open",
                     errno == ENOSYS ? "Linux 5.6 or later is needed" : "");
  }
  // While the directory still answers, the pid was not given away between the two.
  if (!ReadStat(handle.directory.get(), "stat")) {
    return Fail(ErrorCode::kTargetGone, Attaching(pid) + "it exited meanwhile");
  }
  return handle;
}

Result<void> CheckMemoryNotShared(const ProcessHandle& process) {
  constexpr int kMostSharers = 100;  // a program that spawns all the time has one at most looks
  for (int i = 0; i < kMostSharers; ++i) {
    const pid_t thread = FindLiveThread(process.directory.get(), process.pid);
    const std::optional<Sharer> sharer = FindSharer(thread, process.pid);
    if (!sharer) return {};
    if (!GoesAway(*sharer, thread)) {
      return Fail(ErrorCode::kUnsupported,
                  Attaching(process.pid) + "process " + std::to_string(sharer->pid) +
                      " shares its memory (CLONE_VM), and would not be stopped with it");
    }
    // There may be more than that one, so all are looked at again.
  }
  return Fail(ErrorCode::kLimit,
              Attaching(process.pid) + "new processes share its memory all the time (vfork)",
              "try again later");
}

bool HeldByNewProcess(int fd, pid_t target, uint64_t since) {
  NumberedEntries processes(AT_FDCWD, "/proc");
  while (const pid_t other = processes.Next()) {
    if (other == target || other == getpid()) continue;
    const auto stat = ReadStat(AT_FDCWD, ProcPath("/proc/", other, "stat").c_str());
    if (stat && stat->start_time >= since && HoldsFile(other, fd)) return true;
  }
  return false;
}

uint64_t TicksSinceBoot() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const auto ticks_per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return static_cast<uint64_t>(now.tv_sec) * ticks_per_second +
         static_cast<uint64_t>(now.tv_nsec) * ticks_per_second / 1'000'000'000;
}

}  // namespace stillframe
