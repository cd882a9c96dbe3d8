// CoDel on the waits of faults: acts when even the shortest wait of an interval is long.
#ifndef STILLFRAME_THROTTLE_CODEL_POLICY_H_
#define STILLFRAME_THROTTLE_CODEL_POLICY_H_

#include <optional>

#include "stillframe/throttle.h"

namespace stillframe {

// After an interval (100 ms) in which no fault waited for less than the target, the scan is held
// back for one poll time; as long as no shorter wait is seen, again and again after interval/√n.
// One short wait ends it.
class CodelPolicy final : public ThrottlePolicy {
 public:
  explicit CodelPolicy(const ThrottleOptions& options)
      : target_(options.fault_limit / 5), hold_(options.poll_time) {}

  std::string_view name() const override { return "codel"; }
  void Observe(const ThrottleSample& sample) override;
  ThrottleDecision Decide(const ThrottleSample& sample) override;
  ThrottleCounters counters() const override { return counters_; }

 private:
  static constexpr Duration kInterval = std::chrono::milliseconds(100);

  const Duration target_;
  const Duration hold_;
  ThrottleCounters counters_;
  std::optional<TimePoint> above_since_;
  uint64_t holds_ = 0;  // in a row; 0: not holding back
  TimePoint next_hold_;
  TimePoint hold_until_;
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_CODEL_POLICY_H_
