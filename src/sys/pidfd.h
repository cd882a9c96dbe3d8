// Processes held by descriptor, so that a number that was given to another process does no harm.
// pidfd_open(2), kcmp(2).
#ifndef STILLFRAME_SYS_PIDFD_H_
#define STILLFRAME_SYS_PIDFD_H_

#include <sys/types.h>

#include <optional>

#include "base/unique_fd.h"

namespace stillframe {

// No allocation in any of these; any thread; async-signal-safe. A failure leaves errno.

UniqueFd OpenPidfd(pid_t pid);
// True once every thread of the process has exited.
bool PidfdExited(int pidfd);
// A copy of descriptor `fd` of that process, close-on-exec.
UniqueFd PidfdGetFd(int pidfd, int fd);

// Whether two processes use one address space; empty when the kernel doesn't tell.
std::optional<bool> SameMemory(pid_t a, pid_t b);
// Whether two threads use one descriptor table.
std::optional<bool> SameDescriptorTable(pid_t a, pid_t b);
// Whether descriptor `a_fd` of a and `b_fd` of b are one open file; empty when the kernel doesn't
// tell.
std::optional<bool> SameFile(pid_t a, int a_fd, pid_t b, int b_fd);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PIDFD_H_
