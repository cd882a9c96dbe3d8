// The QEMU-style rule: after a slow fault, push nothing for a while and poll for faults instead.
#ifndef STILLFRAME_THROTTLE_SKIP_POLICY_H_
#define STILLFRAME_THROTTLE_SKIP_POLICY_H_

#include <optional>
#include <vector>

#include "stillframe/throttle.h"

namespace stillframe {

// When a fault waited longer than fault_limit, the next poll_count iterations push no page that
// nobody faulted on and poll for faults instead; an iteration ends at the first fault or after
// poll_time. A fault counts once, with its final wait or while it is still waiting; a new slow one
// sets the count anew. After force_after without a scanned page one run is pushed all the same and
// counted as forced, so that a save always ends.
//
// The rule is the one of a patch for QEMU's background snapshot (5 ms, 200 polls) that was dropped
// before it was merged: there the clock started when the saving thread itself got round to reading
// the fault, so it never saw a long wait.
class SkipPolicy final : public ThrottlePolicy {
 public:
  explicit SkipPolicy(const ThrottleOptions& options) : options_(options) {}

  std::string_view name() const override { return "skip"; }
  void Observe(const ThrottleSample& sample) override;
  ThrottleDecision Decide(const ThrottleSample& sample) override;
  ThrottleCounters counters() const override { return counters_; }

 private:
  ThrottleDecision Push(TimePoint now);

  const ThrottleOptions options_;
  ThrottleCounters counters_;
  uint64_t polls_left_ = 0;
  std::optional<TimePoint> last_push_;
  // Numbers of the faults that were counted while they still waited. Never more than wait at one
  // time.
  std::vector<uint64_t> counted_waiting_;
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_SKIP_POLICY_H_
