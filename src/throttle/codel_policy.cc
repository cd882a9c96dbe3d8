#include "throttle/codel_policy.h"

#include <algorithm>
#include <cmath>

#include "throttle/policies.h"

namespace stillframe {

void CodelPolicy::Observe(const ThrottleSample& sample) {
  for (const FaultSeen& fault : sample.faults) {
    if (fault.wait >= target_) {
      if (!above_since_) above_since_ = sample.now;
    } else if (fault.finished) {
      above_since_.reset();
      holds_ = 0;
    }
  }
  if (!above_since_ || sample.now < *above_since_ + kInterval) return;
  if (holds_ > 0 && sample.now < next_hold_) return;
  ++holds_;
  ++counters_.triggers;
  hold_until_ = sample.now + hold_;
  const double gap =
      static_cast<double>(kInterval.count()) / std::sqrt(static_cast<double>(holds_));
  next_hold_ = hold_until_ + Duration(static_cast<int64_t>(gap));
}

ThrottleDecision CodelPolicy::Decide(const ThrottleSample& sample) {
  Observe(sample);
  if (holds_ > 0 && sample.now < hold_until_) {
    ++counters_.polls;
    return {.push = Pages{0}, .poll = hold_until_ - sample.now};
  }
  return {.push = kUnlimitedPush};
}

}  // namespace stillframe
