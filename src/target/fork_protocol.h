// What the session and the fork helper (fork_helper.h) say to each other, over two sockets.
//
// The hold socket carries commands and one answer each; closed, the thread is let go of. The life
// socket carries nothing: once our end is shut, the child is killed and reaped, and the helper
// shuts its own end when there is no trace left of it.
#ifndef STILLFRAME_TARGET_FORK_PROTOCOL_H_
#define STILLFRAME_TARGET_FORK_PROTOCOL_H_

#include <cstdint>

#include "target/injection_report.h"

namespace stillframe {

enum class ForkCommandKind : uint32_t {
  kHold,     // stop a thread, until `deadline_ns`
  kRelease,  // let it go
  kFork,     // make the child
};

struct ForkCommand {
  ForkCommandKind kind = ForkCommandKind::kHold;
  uint32_t unused = 0;
  int64_t deadline_ns = 0;  // CLOCK_MONOTONIC
};
static_assert(sizeof(ForkCommand) == 16);

struct ForkAnswer {
  ForkCommandKind kind = ForkCommandKind::kHold;  // which command it answers
  InjectionStep step = InjectionStep::kDone;
  int32_t error = 0;            // errno
  int32_t thread = 0;           // kHold: which one, or which was tried last
  int32_t child = 0;            // kFork: its pid
  int32_t child_in_target = 0;  // and as the target would see it
};
static_assert(sizeof(ForkAnswer) == 24);

// The descriptors that come with the answer to kFork, in this order.
enum FrozenFd { kFrozenMemory, kFrozenPagemap, kFrozenPidfd, kFrozenFdCount };

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FORK_PROTOCOL_H_
