#include "throttle/ramp_policy.h"

#include <algorithm>

namespace stillframe {

void RampPolicy::Observe(const ThrottleSample& sample) {
  left_ -= std::min(left_, sample.pushed);
  bool faulted = false;
  for (const FaultSeen& fault : sample.faults) {
    if (fault.number < faults_seen_) continue;
    faults_seen_ = fault.number + 1;
    faulted = true;
  }
  if (faulted) {
    if (chunk_ > kStep) ++counters_.triggers;
    chunk_ = left_ = kStep;
  } else if (left_.count == 0) {
    left_ = chunk_ = std::min(chunk_ + kStep, kLargest);
  }
}

ThrottleDecision RampPolicy::Decide(const ThrottleSample& sample) {
  Observe(sample);
  return {.push = left_};
}

}  // namespace stillframe
