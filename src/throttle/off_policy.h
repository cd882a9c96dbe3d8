// No throttling: the baseline that every policy is measured against.
#ifndef STILLFRAME_THROTTLE_OFF_POLICY_H_
#define STILLFRAME_THROTTLE_OFF_POLICY_H_

#include "stillframe/throttle.h"

namespace stillframe {

class OffPolicy final : public ThrottlePolicy {
 public:
  std::string_view name() const override { return "off"; }
  void Observe(const ThrottleSample&) override {}
  ThrottleDecision Decide(const ThrottleSample& sample) override;
  ThrottleCounters counters() const override { return {}; }
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_OFF_POLICY_H_
