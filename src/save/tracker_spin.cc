#include "save/tracker_spin.h"

namespace stillframe {

bool TrackerSpin::WantsLook(TimePoint now) const {
  return how_ == TrackerWait::kAuto && cpus_ > 1 && IsRecent(now) &&
         (!last_look_ || now - *last_look_ > kLookHolds);
}

void TrackerSpin::OnLook(TimePoint now, size_t running) {
  last_look_ = now;
  cpu_idle_ = running > 0 && running <= cpus_;
}

bool TrackerSpin::Spins(TimePoint now, bool armed) const {
  switch (how_) {
    case TrackerWait::kBlock:
      return false;
    case TrackerWait::kSpin:
      return armed;
    case TrackerWait::kAuto:
      return armed && cpu_idle_ && IsRecent(now);
  }
  return false;
}

}  // namespace stillframe
