#include "base/clock.h"

namespace stillframe {
namespace {

class SteadyClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const Clock& MonotonicClock() {
  static const SteadyClock clock;
  return clock;
}

}  // namespace stillframe
