// AIMD: the scan works for a share of the time, which halves when waits get long and grows back.
#ifndef STILLFRAME_THROTTLE_DUTY_POLICY_H_
#define STILLFRAME_THROTTLE_DUTY_POLICY_H_

#include <optional>

#include "stillframe/throttle.h"

namespace stillframe {

// Looks at windows of 100 ms: where more than one in a hundred of the faults of a window waited
// longer than the limit, the share of the time in which the scan may push halves, down to an
// eighth; each other window gives a tenth back. After each run the scan holds back for as long as
// the share demands.
class DutyPolicy final : public ThrottlePolicy {
 public:
  explicit DutyPolicy(const ThrottleOptions& options) : limit_(options.fault_limit / 5) {}

  std::string_view name() const override { return "aimd"; }
  void Observe(const ThrottleSample& sample) override;
  ThrottleDecision Decide(const ThrottleSample& sample) override;
  ThrottleCounters counters() const override { return counters_; }

 private:
  static constexpr Duration kWindow = std::chrono::milliseconds(100);
  static constexpr double kLeast = 1.0 / 8;
  static constexpr double kStep = 0.1;

  void CloseWindow(TimePoint now);

  const Duration limit_;
  ThrottleCounters counters_;
  double share_ = 1;
  std::optional<TimePoint> window_begin_;
  uint64_t faults_ = 0;  // of the window
  uint64_t slow_ = 0;
  bool waiting_slow_ = false;
  TimePoint pushed_at_;
  TimePoint hold_until_;
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_DUTY_POLICY_H_
