#include "evaluate/pacer.h"

#include <algorithm>
#include <cmath>
#include <thread>

namespace stillframe::evaluate {
namespace {

constexpr Duration kLongestSleep = std::chrono::milliseconds(50);  // how late a stop may be seen

Duration Nanoseconds(double ns) { return Duration(static_cast<int64_t>(ns)); }

}  // namespace

Pacer::Pacer(double rate, const Bursts& bursts)
    : interval_ns_(rate > 0 ? 1e9 / rate : 0), bursts_(bursts), steps_per_period_(0) {
  const auto period_ns = static_cast<double>(bursts.period.count());
  if (rate > 0 && period_ns > 0) {
    steps_per_period_ = static_cast<uint64_t>(std::max(1.0, std::round(period_ns / interval_ns_)));
    interval_ns_ = period_ns * bursts.share / static_cast<double>(steps_per_period_);
  }
  Start(0);
}

void Pacer::Start(double phase) {
  start_ = std::chrono::steady_clock::now() + Nanoseconds(interval_ns_ * phase);
  step_ = 0;
}

Duration Pacer::DueOf(uint64_t step) const {
  // From the count, not by adding up: no drift.
  if (steps_per_period_ == 0) return Nanoseconds(interval_ns_ * static_cast<double>(step));
  return bursts_.period * static_cast<int64_t>(step / steps_per_period_) +
         Nanoseconds(interval_ns_ * static_cast<double>(step % steps_per_period_));
}

TimePoint Pacer::NextInBurst(TimePoint now) const {
  if (bursts_.period.count() == 0) return now;
  const Duration phase = (now - start_) % bursts_.period;
  const auto on = Nanoseconds(static_cast<double>(bursts_.period.count()) * bursts_.share);
  return phase < on ? now : now + (bursts_.period - phase);
}

TimePoint Pacer::WaitForNext(const std::atomic<bool>& stop) {
  TimePoint now = std::chrono::steady_clock::now();
  const TimePoint due = interval_ns_ == 0 ? NextInBurst(now) : start_ + DueOf(step_++);
  while (now < due && !stop.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_until(std::min(due, now + kLongestSleep));
    now = std::chrono::steady_clock::now();
  }
  return due;
}

}  // namespace stillframe::evaluate
