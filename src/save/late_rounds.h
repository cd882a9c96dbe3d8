// What a late instant does before its pause: rounds of copying, while the target runs.
#ifndef STILLFRAME_SAVE_LATE_ROUNDS_H_
#define STILLFRAME_SAVE_LATE_ROUNDS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>

#include "save/late_copy.h"
#include "save/pinned_history.h"
#include "save/pre_arm.h"
#include "save/save_context.h"
#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/units.h"
#include "track/tracked_memory.h"

namespace stillframe {

// Each round arms again what was written since the last one, waits until no system call is under
// way that began before, and copies what has no copy. The pause is for the pre-arm to shorten: what
// is left of this is saved after it, as without rounds.
//
// Thread rule: the session's; done() from any.
class LateRounds {
 public:
  explicit LateRounds(SaveContext& context);

  // Before the first page. kUnsupported by a sink that takes no page twice.
  Result<void> Prepare() { return context_.sink->AllowRepeats(); }
  // What comes during the rounds.
  struct Registrar {
    // How much nobody has registered, counted no further than `enough`.
    std::function<Result<Bytes>(Bytes enough)> unregistered;
    // Stops the target for a moment to register it. Returns all memory as it then is.
    std::function<Result<TrackedMemory*>()> register_more;
  };
  // All rounds, over `memory`, which was armed once. `check` is asked often: its error ends them.
  Result<void> Run(PreArm& pre_arm, TrackedMemory* memory, const Registrar& registrar,
                   const std::function<Result<void>()>& check);
  // Inside the pause: what the kernel writes, or wrote, to these and to all that were registered
  // with an io_uring during the rounds, came without a fault. No copy of them holds.
  void ForgetPinned(std::span<const AddressRange> pinned, TrackedMemory& memory) const;

  void AddTo(SaveSummary* summary) const;
  Pages done() const { return copy_.done(); }

 private:
  // False when a system call of the target does not end: what has no copy by then is saved after
  // the instant.
  Result<bool> CopyOnce(TrackedMemory& memory, const std::function<Result<void>()>& check);
  Result<void> NotePinned();

  SaveContext& context_;
  LateCopy copy_;
  uint64_t rounds_ = 0;
  PinnedHistory pinned_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_LATE_ROUNDS_H_
