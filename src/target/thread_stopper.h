// Stops every thread of a process, and lets all of them go again.
#ifndef STILLFRAME_TARGET_THREAD_STOPPER_H_
#define STILLFRAME_TARGET_THREAD_STOPPER_H_

#include <sys/types.h>

#include <optional>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "target/foreign_thread.h"
#include "target/seized_threads.h"

namespace stillframe {

// Thread rule: as SeizedThreads; what is const may be called by another one only between Stop and
// Resume.
class ThreadStopper {
 public:
  // Borrows the descriptor of /proc/PID.
  ThreadStopper(int directory, pid_t pid) : pid_(pid), threads_(directory, pid) {}
  ThreadStopper(const ThreadStopper&) = delete;
  ThreadStopper& operator=(const ThreadStopper&) = delete;

  // Stops all, those born meanwhile included. `options.stop_timeout` bounds one try; after ten it
  // is given up with kLimit, as it is with kInterrupted when `options.cancelled` says so; Resume
  // must follow then as well. `foreign` stops one of the threads, and is borrowed until Resume;
  // null for none.
  Result<void> Stop(const PauseOptions& options, ForeignThread* foreign = nullptr);
  // Lets all go. A stopped job stays stopped. False when the tracer may still hold some, that died,
  // became another's by exec, or never came to a stop: they are let go when it ends, which has to
  // be soon.
  bool Resume();
  // While another thread is in Stop, every few milliseconds, see TraceeReaper.
  void ReapIfStuck() { threads_.ReapIfStuck(); }

  bool stopped() const { return stopped_; }
  // By number, the foreign one left out.
  std::vector<pid_t> StoppedThreads() const { return threads_.Stopped(); }
  // From the first thread asked to stop to the last one let go, of the last Stop that succeeded; so
  // far, while stopped.
  Duration StoppedTime() const;
  PauseTimes times() const { return times_; }

 private:
  // False when a thread did not stop before `end`.
  Result<bool> CollectAll(TimePoint end, const PauseOptions& options);
  // True when all threads there are were stopped before `end`.
  Result<bool> TryToStop(const PauseOptions& options);
  // Of one try, from the seizing on.
  Result<bool> Try(const PauseOptions& options);
  // False when it was not stopped in time.
  Result<bool> StopForeign(const PauseOptions& options);
  Result<void> CheckCancelled(const PauseOptions& options) const;
  void ReleaseAll();
  Error TooSlow() const;

  pid_t pid_;
  SeizedThreads threads_;               // those that are gone stay until released
  ForeignThread* foreign_ = nullptr;    // from Stop to Resume
  std::optional<Error> foreign_error_;  // why the last try did not stop it
  pid_t foreign_tid_ = 0;               // 0 while it is not stopped
  bool stopped_ = false;
  TimePoint asked_;
  Duration stopped_time_{0};
  PauseTimes times_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_THREAD_STOPPER_H_
