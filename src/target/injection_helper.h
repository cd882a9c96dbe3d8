// The tiny process that injects.
//
// Should we die in the middle of an injection, the kernel would let the target run on with our
// registers in it, and that is its death. So it is not us who inject: a forked helper seizes one
// thread, makes the userfaultfd, puts everything back, detaches, and only then hands the descriptor
// over. When nobody is there to take it, it closes. What remains is the helper's own SIGKILL within
// some 0.2 ms (docs/attach.md).
#ifndef STILLFRAME_TARGET_INJECTION_HELPER_H_
#define STILLFRAME_TARGET_INJECTION_HELPER_H_

#include <sys/types.h>

#include "stillframe/units.h"
#include "target/helper_lease.h"
#include "target/syscall_instruction.h"

namespace stillframe {

// All that the helper needs, made ready before the fork.
struct InjectionOrder {
  int process = -1;  // /proc/PID
  int pidfd = -1;
  int device = -1;  // /dev/userfaultfd, or -1 and errno
  int device_error = 0;
  int socket = -1;  // the report goes there
  pid_t pid = 0;
  ExecutableRanges executable;
  Duration timeout{0};
};

// A HelperBody; `order` is an InjectionOrder.
void RunInjectionHelper(const void* order, HelperLease* lease);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_INJECTION_HELPER_H_
