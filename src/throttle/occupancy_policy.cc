#include "throttle/occupancy_policy.h"

#include <algorithm>

#include "throttle/policies.h"

namespace stillframe {

void OccupancyPolicy::Observe(const ThrottleSample& sample) {
  const bool full = sample.stage_used.count >= sample.stage_size.count / 4 * 3;
  if (full && !holding_) {
    ++counters_.triggers;
    holding_ = true;
  }
  if (sample.stage_used.count <= sample.stage_size.count / 2) holding_ = false;
}

ThrottleDecision OccupancyPolicy::Decide(const ThrottleSample& sample) {
  Observe(sample);
  if (!last_push_) last_push_ = sample.now;
  const bool forced = holding_ && sample.now >= *last_push_ + options_.force_after;
  if (holding_ && !forced) {
    ++counters_.polls;
    return {.push = Pages{0}, .poll = options_.poll_time};
  }
  if (forced) ++counters_.forced;
  last_push_ = sample.now;
  return {.push = kUnlimitedPush};
}

}  // namespace stillframe
