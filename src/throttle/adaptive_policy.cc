#include "throttle/adaptive_policy.h"

#include <algorithm>

namespace stillframe {

void AdaptivePolicy::NoteStage(const ThrottleSample& sample) {
  const uint64_t used = sample.stage_used.count;
  if (used <= sample.stage_size.count / 2) holding_ = false;
  if (holding_ || used < sample.stage_size.count / 4 * 3) return;
  holding_ = true;
  ++counters_.triggers;
}

void AdaptivePolicy::NoteRate(const ThrottleSample& sample, bool waits) {
  if (!window_begin_) window_begin_ = seen_at_ = sample.now;
  if (waits_) {
    waited_ += sample.now - seen_at_;
    taken_ += sample.sent - sent_before_;
  }
  waits_ = waits;
  seen_at_ = sample.now;
  sent_before_ = sample.sent;
  if (sample.now - *window_begin_ < kWindow) return;
  largest_run_ = kUnlimitedPush;
  if (waited_ * 2 > sample.now - *window_begin_) {
    const double rate = static_cast<double>(taken_.count) / static_cast<double>(waited_.count());
    const double bytes = rate * static_cast<double>(options_.fault_limit.count()) / 5;
    largest_run_ = std::max(kSmallestRun, ToPages(Bytes{static_cast<uint64_t>(bytes)}));
  }
  window_begin_ = sample.now;
  waited_ = {};
  taken_ = {};
}

void AdaptivePolicy::Observe(const ThrottleSample& sample) {
  NoteStage(sample);
  NoteRate(sample, true);
}

ThrottleDecision AdaptivePolicy::Decide(const ThrottleSample& sample) {
  NoteStage(sample);
  NoteRate(sample, holding_);
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
