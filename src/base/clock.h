// Time, as an object, so that a test can bring its own.
#ifndef STILLFRAME_BASE_CLOCK_H_
#define STILLFRAME_BASE_CLOCK_H_

#include "stillframe/units.h"

namespace stillframe {

// Thread rule: any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
};

// CLOCK_MONOTONIC. No allocation, no system call (vdso).
const Clock& MonotonicClock();

}  // namespace stillframe

#endif  // STILLFRAME_BASE_CLOCK_H_
