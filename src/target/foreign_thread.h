// A thread of the target that another process of ours stops.
#ifndef STILLFRAME_TARGET_FOREIGN_THREAD_H_
#define STILLFRAME_TARGET_FOREIGN_THREAD_H_

#include <sys/types.h>

#include "stillframe/error.h"
#include "stillframe/target.h"
#include "stillframe/units.h"

namespace stillframe {

// It is stopped before all others, and let go of with them.
class ForeignThread {
 public:
  ForeignThread() = default;
  ForeignThread(const ForeignThread&) = delete;
  ForeignThread& operator=(const ForeignThread&) = delete;
  virtual ~ForeignThread() = default;

  // Stops one and returns its number. kLimit: none stopped before `end`, but may the next time.
  virtual Result<pid_t> Stop(TimePoint end, const PauseOptions& options) = 0;
  // Asks for it to be let go; harmless when none is held.
  virtual void LetGo() = 0;
  // Waits until it was, for a moment at most.
  virtual void AwaitLetGo() = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FOREIGN_THREAD_H_
