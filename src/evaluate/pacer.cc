#include "evaluate/pacer.h"

#include <algorithm>
#include <thread>

namespace stillframe::evaluate {
namespace {

constexpr Duration kLongestSleep = std::chrono::milliseconds(50);  // how late a stop may be seen

}  // namespace

Pacer::Pacer(double rate) : interval_ns_(rate > 0 ? 1e9 / rate : 0) { Start(0); }

void Pacer::Start(double phase) {
  start_ = std::chrono::steady_clock::now() + Duration(static_cast<int64_t>(interval_ns_ * phase));
  step_ = 0;
}

TimePoint Pacer::WaitForNext(const std::atomic<bool>& stop) {
  TimePoint now = std::chrono::steady_clock::now();
  if (interval_ns_ == 0) return now;
  // From the count, not by adding up: no drift.
  const TimePoint due =
      start_ + Duration(static_cast<int64_t>(interval_ns_ * static_cast<double>(step_++)));
  while (now < due && !stop.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_until(std::min(due, now + kLongestSleep));
    now = std::chrono::steady_clock::now();
  }
  return due;
}

}  // namespace stillframe::evaluate
