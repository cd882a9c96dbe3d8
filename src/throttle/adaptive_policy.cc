#include "throttle/adaptive_policy.h"

#include <algorithm>

#include "throttle/policies.h"

namespace stillframe {

void AdaptivePolicy::NoteStage(const ThrottleSample& sample) {
  const uint64_t used = sample.stage_used.count;
  if (used <= sample.stage_size.count / 2) holding_ = false;
  if (holding_ || used < sample.stage_size.count / 4 * 3) return;
  holding_ = true;
  ++counters_.triggers;
}

void AdaptivePolicy::NoteRate(const ThrottleSample& sample) {
  if (!window_begin_) {
    window_begin_ = sample.now;
    sent_before_ = sample.sent;
    largest_run_ = kUnlimitedPush;
  }
  const Duration passed = sample.now - *window_begin_;
  if (passed < kWindow) return;
  largest_run_ = kUnlimitedPush;
  if (output_bound_) {
    const double rate = static_cast<double>((sample.sent - sent_before_).count) /
                        static_cast<double>(passed.count());
    const double bytes = rate * static_cast<double>(options_.fault_limit.count()) / 5;
    largest_run_ = std::max(kSmallestRun, ToPages(Bytes{static_cast<uint64_t>(bytes)}));
  }
  window_begin_ = sample.now;
  sent_before_ = sample.sent;
  output_bound_ = false;
}

void AdaptivePolicy::Observe(const ThrottleSample& sample) {
  output_bound_ = true;
  NoteStage(sample);
  NoteRate(sample);
}

ThrottleDecision AdaptivePolicy::Decide(const ThrottleSample& sample) {
  NoteStage(sample);
  output_bound_ = output_bound_ || holding_;
  NoteRate(sample);
  if (sample.reason == ThrottleSample::Reason::kPollFault ||
      sample.reason == ThrottleSample::Reason::kPollTimeout) {
    ++counters_.polls;
  }
  if (!last_push_) last_push_ = sample.now;
  const TimePoint force_at = *last_push_ + options_.force_after;
  if (holding_ && sample.now < force_at) {
    return {.push = Pages{0}, .poll = std::min(options_.poll_time, force_at - sample.now)};
  }
  if (holding_) ++counters_.forced;
  last_push_ = sample.now;
  return {.push = largest_run_};
}

}  // namespace stillframe
