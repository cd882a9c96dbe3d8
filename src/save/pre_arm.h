// Write-protects the target while it runs, so that hardly anything is left for the pause.
#ifndef STILLFRAME_SAVE_PRE_ARM_H_
#define STILLFRAME_SAVE_PRE_ARM_H_

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "fault/fault_channel.h"
#include "save/page_armer.h"
#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/target.h"
#include "track/fault_tracker.h"
#include "track/tracked_memory.h"

namespace stillframe {

// First everything is armed. What the target writes meanwhile is opened and noted by the tracker
// (FaultTracker::Mode::kArming), and armed again in a round; what is written during that one, in
// the next. As arming a page takes less long than the round trip of its fault, each round is
// shorter than the one before, unless many threads write at full speed: then their writes are
// slowed down, step by step and up to a limit. The rounds are bounded too, so that the pause comes
// in any case.
//
// Thread rule: the session's.
class PreArm {
 public:
  static constexpr uint64_t kMostRounds = 24;
  // A write that waits so long is noticed, and less than what counts as a slow fault.
  static constexpr Duration kMostSlowdown = std::chrono::microseconds(1600);

  struct Parts {
    const Target& target;
    const FaultChannel& channel;
    FaultTracker& tracker;
    TrackedMemory& memory;
    const Clock& clock;
    // What arming the rest inside the pause may take.
    Duration budget;
    // The longest that a write may be held back, at most kMostSlowdown.
    Duration most_slowdown = kMostSlowdown;
    // Asked between the steps; an error ends it.
    std::function<Result<void>()> check;
    // Target::AwaitSystemCalls. Without it whatever is stale is left for the pause.
    std::function<Result<void>()> await_calls = nullptr;
  };

  explicit PreArm(Parts parts)
      : parts_(std::move(parts)),
        memory_(&parts_.memory),
        armer_(std::in_place, parts_.target, parts_.channel, *memory_) {}

  // The first round, over all memory.
  Result<void> ArmAll();
  // One more round, whatever is left.
  Result<void> Again();
  // More rounds, until what is left fits the budget. The tracker is left without a slowdown.
  Result<void> Converge();
  // Whether it fitted at the end of the last Converge.
  bool converged() const { return converged_; }

  // The same pages where they are now, and others, while the target stands still: all of it is
  // registered again. For the rounds to come; what is new is armed in the first of them.
  void SetMemory(TrackedMemory& memory);

  // So far.
  const PrearmSummary& summary() const { return summary_; }

 private:
  Result<void> Round();
  // Once the calls are over that took away what is stale.
  Result<void> AskStaleAnew();
  std::vector<PageRun> TakeStale();
  Duration StaleCost() const;
  void ListUnknown();
  Duration Estimate(Pages pages) const;
  Duration SlowDown(Duration before) const;

  const Parts parts_;
  TrackedMemory* memory_;
  std::optional<PageArmer> armer_;
  PrearmSummary summary_;
  // Of the rounds so far, a page that is armed again.
  Duration page_cost_ = std::chrono::microseconds(3);
  bool few_new_ = false;   // hardly any memory came into use during the last round
  bool calls_end_ = true;  // as far as we know: to wait for one that doesn't takes long
  bool converged_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PRE_ARM_H_
