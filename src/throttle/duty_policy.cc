#include "throttle/duty_policy.h"

#include <algorithm>

#include "throttle/policies.h"

namespace stillframe {
namespace {

// However long a run took: it may have waited for room.
constexpr Duration kLongestHold = std::chrono::milliseconds(20);

}  // namespace

void DutyPolicy::Observe(const ThrottleSample& sample) {
  if (!window_begin_) window_begin_ = sample.now;
  waiting_slow_ = false;
  for (const FaultSeen& fault : sample.faults) {
    if (fault.finished) {
      ++faults_;
      if (fault.wait > limit_) ++slow_;
    } else if (fault.wait > limit_) {
      waiting_slow_ = true;
    }
  }
  if (sample.now >= *window_begin_ + kWindow) CloseWindow(sample.now);
}

void DutyPolicy::CloseWindow(TimePoint now) {
  if (waiting_slow_ || slow_ * 100 > faults_) {
    share_ = std::max(kLeast, share_ / 2);
    ++counters_.triggers;
  } else {
    share_ = std::min(1.0, share_ + kStep);
  }
  window_begin_ = now;
  faults_ = slow_ = 0;
}

ThrottleDecision DutyPolicy::Decide(const ThrottleSample& sample) {
  Observe(sample);
  if (sample.reason == ThrottleSample::Reason::kPushed) {
    const auto took = static_cast<double>((sample.now - pushed_at_).count());
    const Duration hold(static_cast<int64_t>(took * (1 / share_ - 1)));
    hold_until_ = sample.now + std::min(hold, kLongestHold);
  }
  if (sample.now < hold_until_) {
    ++counters_.polls;
    return {.push = Pages{0}, .poll = hold_until_ - sample.now};
  }
  pushed_at_ = sample.now;
  return {.push = kUnlimitedPush};
}

}  // namespace stillframe
