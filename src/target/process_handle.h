// A process that may be attached to, held by descriptors so that its pid can't come to mean another
// one.
#ifndef STILLFRAME_TARGET_PROCESS_HANDLE_H_
#define STILLFRAME_TARGET_PROCESS_HANDLE_H_

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "stillframe/error.h"

namespace stillframe {

struct ProcessHandle {
  pid_t pid = 0;
  UniqueFd directory;  // /proc/PID
  UniqueFd pidfd;
  uint64_t start_time = 0;  // clock ticks since boot
};

// Opens the process and checks all that can be checked without touching it.
// Errors: kUsage (no such kind of pid, ourselves, a thread, a kernel thread, a zombie), kTargetGone
// (no such process), kPermission (not ours, traced by someone), kUnsupported (32-bit).
Result<ProcessHandle> OpenProcess(pid_t pid);

// Fails with kUnsupported when a process outside the thread group uses the same address space:
// stopping the target's threads would not stop that one. A vfork child, which does for a moment, is
// waited for; kLimit when there is always another one.
Result<void> CheckMemoryNotShared(const ProcessHandle& process);

// Whether a process that was started at `since` (clock ticks since boot) or later holds the open
// file `fd`: a fork of the target in the moment when its table held the userfaultfd.
bool HeldByNewProcess(int fd, pid_t target, uint64_t since);

// Clock ticks since boot, as start times are counted.
uint64_t TicksSinceBoot();

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_PROCESS_HANDLE_H_
