// Starts the injection helper and takes what it hands over.
#ifndef STILLFRAME_TARGET_INJECTION_H_
#define STILLFRAME_TARGET_INJECTION_H_

#include <sys/types.h>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/units.h"
#include "target/syscall_instruction.h"

namespace stillframe {

// All three are of one address space.
struct InjectedFds {
  UniqueFd userfaultfd;  // the target holds none any more
  UniqueFd memory;       // /proc/PID/mem, read-only
  UniqueFd pagemap;      // /proc/PID/pagemap
  Duration stopped{0};   // how long a thread of the target stood still
};

// `process`: /proc/PID. Takes at most `timeout` and a second. When it runs out the helper stays
// until it has put everything back. Errors: kLimit (no thread stopped in time), kTargetGone,
// kPermission, kUnsupported.
Result<InjectedFds> InjectUserfaultfd(pid_t pid, int process, int pidfd,
                                      const ExecutableRanges& executable, Duration timeout);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_INJECTION_H_
