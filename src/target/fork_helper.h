// The tiny process that forks the target, keeps the child, and cleans up after it.
//
// Should we die, the child has to be killed and the target made to wait for it; so that is not done
// by us but by a helper, which holds one thread of the target for the length of a pause and the
// child for as long as it is read.
#ifndef STILLFRAME_TARGET_FORK_HELPER_H_
#define STILLFRAME_TARGET_FORK_HELPER_H_

#include <sys/types.h>

#include <array>

#include "target/held_thread.h"
#include "target/helper_lease.h"

namespace stillframe {

// All that the helper needs, made ready before the fork.
struct ForkOrder {
  int process = -1;  // /proc/PID
  int pidfd = -1;    // of the target
  int parent = -1;   // a pidfd of ours
  int hold = -1;     // its ends of the two sockets (fork_protocol.h)
  int life = -1;
  std::array<int, 2> our_ends = {-1, -1};
  HeldThread* held = nullptr;  // shared memory, filled before kHold is answered
  // A child whose helper was killed, which is only to be reaped: its pid as the target sees it, and
  // a pidfd. 0 for none.
  pid_t orphan = 0;
  int orphan_pidfd = -1;
};

// A HelperBody; `order` is a ForkOrder.
void RunForkHelper(const void* order, HelperLease* lease);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FORK_HELPER_H_
