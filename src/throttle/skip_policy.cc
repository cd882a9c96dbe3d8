#include "throttle/skip_policy.h"

#include <algorithm>

#include "throttle/policies.h"

namespace stillframe {

void SkipPolicy::Observe(const ThrottleSample& sample) {
  for (const FaultSeen& fault : sample.faults) {
    if (fault.wait <= options_.fault_limit) continue;
    const auto counted = std::find(counted_waiting_.begin(), counted_waiting_.end(), fault.number);
    const bool is_new = counted == counted_waiting_.end();
    if (fault.finished && !is_new) counted_waiting_.erase(counted);
    if (!fault.finished && is_new) counted_waiting_.push_back(fault.number);
    if (is_new) {
      ++counters_.triggers;
      polls_left_ = options_.poll_count;
    }
  }
}

ThrottleDecision SkipPolicy::Push(TimePoint now) {
  last_push_ = now;
  return {.push = kUnlimitedPush};
}

ThrottleDecision SkipPolicy::Decide(const ThrottleSample& sample) {
  const bool polled = sample.reason == ThrottleSample::Reason::kPollFault ||
                      sample.reason == ThrottleSample::Reason::kPollTimeout;
  if (polled && polls_left_ > 0) {
    --polls_left_;
    ++counters_.polls;
  }
  Observe(sample);
  if (!last_push_) last_push_ = sample.now;
  if (polls_left_ == 0) return Push(sample.now);

  const TimePoint force_at = *last_push_ + options_.force_after;
  if (sample.now >= force_at) {
    ++counters_.forced;
    last_push_ = sample.now;
    return {.push = kForcedPush};
  }
  return {.push = Pages{0}, .poll = std::min(options_.poll_time, force_at - sample.now)};
}

}  // namespace stillframe
