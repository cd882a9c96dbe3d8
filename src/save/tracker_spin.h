// When a tracker that has nothing to do looks again and again rather than sleep.
#ifndef STILLFRAME_SAVE_TRACKER_SPIN_H_
#define STILLFRAME_SAVE_TRACKER_SPIN_H_

#include <cstddef>
#include <optional>

#include "base/clock.h"
#include "stillframe/save.h"

namespace stillframe {

// Waking a thread on another CPU that sleeps is most of what a fault costs, so who spins answers
// several times sooner. But it takes a CPU; where none is idle that is the one of a writer, or of
// the output, and everybody is worse off.
//
// kAuto spins only right after a fault, for as long as waking would take, and only while no more
// threads want to run than there are CPUs. So at worst each fault costs twice the CPU time, and of
// a CPU that nobody wants.
//
// Pure. Thread rule: the tracker's thread. No allocation.
class TrackerSpin {
 public:
  static constexpr Duration kAfterFault = std::chrono::microseconds(60);
  // A look at the system costs a fault that comes just then some microseconds: not often.
  static constexpr Duration kLookHolds = std::chrono::milliseconds(5);

  TrackerSpin(TrackerWait how, size_t cpus) : how_(how), cpus_(cpus) {}

  void OnFault(TimePoint now) { last_fault_ = now; }
  // Whether to ask the system how many threads want to run, before Spins.
  bool WantsLook(TimePoint now) const;
  // So many do, the tracker itself among them; 0: unknown.
  void OnLook(TimePoint now, size_t running);
  // Look again at once. `armed`: there is memory on which a fault can come.
  bool Spins(TimePoint now, bool armed) const;

 private:
  bool IsRecent(TimePoint now) const { return last_fault_ && now - *last_fault_ < kAfterFault; }

  const TrackerWait how_;
  const size_t cpus_;
  std::optional<TimePoint> last_fault_;
  std::optional<TimePoint> last_look_;
  bool cpu_idle_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_TRACKER_SPIN_H_
