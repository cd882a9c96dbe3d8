// A save by the library, with the times of its steps.
#ifndef STILLFRAME_BENCH_SUPPORT_TIMED_SAVE_H_
#define STILLFRAME_BENCH_SUPPORT_TIMED_SAVE_H_

#include <sys/types.h>

#include "stillframe/save.h"

namespace stillframe::bench {

struct TimedSave {
  SaveSummary summary;
  TimePoint began;    // before the output was opened and the target attached to
  TimePoint instant;  // everything armed, the target about to be resumed
  TimePoint ended;    // everything unregistered, the image complete and published
};

// SaveProcess with options.at_instant taken for the clock.
Result<TimedSave> SaveTimed(pid_t pid, const Output& output, SaveOptions options);

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_TIMED_SAVE_H_
