// Reading another process's memory.
#ifndef STILLFRAME_SYS_PROCESS_MEMORY_H_
#define STILLFRAME_SYS_PROCESS_MEMORY_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <span>

#include "stillframe/target.h"
#include "stillframe/units.h"

namespace stillframe {

// process_vm_readv(2) into `to`, then /proc/PID/mem (`memory_fd`, -1 for none) for what that
// refuses with EFAULT (PROT_NONE). process_vm_readv reads whatever process has the pid *now*: a
// caller that cares proves the copy afterwards. No allocation. At most IOV_MAX entries.
ReadOutcome ReadProcessMemory(pid_t pid, int memory_fd, TargetAddress from,
                              std::span<const iovec> to);

// /proc/PID/mem only. It is bound to one address space, and slower; but process_vm_readv pins the
// pages it reads, and a page that is shared with a parent is copied by that.
ReadOutcome ReadMemoryFile(int memory_fd, TargetAddress from, std::span<const iovec> to);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PROCESS_MEMORY_H_
