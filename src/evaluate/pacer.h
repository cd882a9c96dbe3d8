// Paces a thread by the intended time of each step, so that a late step is seen as late and not as
// a slower rate.
#ifndef STILLFRAME_EVALUATE_PACER_H_
#define STILLFRAME_EVALUATE_PACER_H_

#include <atomic>
#include <cstdint>

#include "stillframe/units.h"

namespace stillframe::evaluate {

// Thread rule: one thread.
class Pacer {
 public:
  // Steps come in the first `share` (0 to 1) of each period only, and so much faster that the rate
  // is kept over whole periods. No period: always.
  struct Bursts {
    Duration period{0};
    double share = 1;
  };

  // Steps per second; 0: as fast as it goes.
  explicit Pacer(double rate) : Pacer(rate, Bursts{}) {}
  Pacer(double rate, const Bursts& bursts);

  // The first step is due `phase` of an interval (0 to 1) from now.
  void Start(double phase);
  // Sleeps until the next step is due, and returns when it was intended; behind time it returns at
  // once. Ends early when `stop` is set.
  TimePoint WaitForNext(const std::atomic<bool>& stop);

 private:
  // When step `step` is due, counted from the start.
  Duration DueOf(uint64_t step) const;
  // Of a step without a rate: now, or the begin of the next burst.
  TimePoint NextInBurst(TimePoint now) const;

  double interval_ns_;  // within a burst
  Bursts bursts_;
  uint64_t steps_per_period_;
  TimePoint start_;
  uint64_t step_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_PACER_H_
