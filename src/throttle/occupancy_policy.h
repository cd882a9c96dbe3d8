// Holds back while the stage is full of faulted pages.
#ifndef STILLFRAME_THROTTLE_OCCUPANCY_POLICY_H_
#define STILLFRAME_THROTTLE_OCCUPANCY_POLICY_H_

#include <optional>

#include "stillframe/throttle.h"

namespace stillframe {

// From three quarters of the stage on the scan pushes nothing, until no more than a half is in use:
// the output then has enough to do with what the target wants to write. The scan's own share is at
// most a half, so it never holds itself back.
class OccupancyPolicy final : public ThrottlePolicy {
 public:
  explicit OccupancyPolicy(const ThrottleOptions& options) : options_(options) {}

  std::string_view name() const override { return "occupancy"; }
  void Observe(const ThrottleSample& sample) override;
  ThrottleDecision Decide(const ThrottleSample& sample) override;
  ThrottleCounters counters() const override { return counters_; }

 private:
  const ThrottleOptions options_;
  ThrottleCounters counters_;
  bool holding_ = false;
  std::optional<TimePoint> last_push_;
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_OCCUPANCY_POLICY_H_
