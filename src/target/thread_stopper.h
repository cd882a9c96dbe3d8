// Stops every thread of a process, and lets all of them go again.
#ifndef STILLFRAME_TARGET_THREAD_STOPPER_H_
#define STILLFRAME_TARGET_THREAD_STOPPER_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "sys/tracee.h"
#include "target/foreign_thread.h"
#include "target/tracee_reaper.h"

namespace stillframe {

// Thread rule: one thread, the tracer: the kernel lets go of a tracer's threads when it ends, in
// whatever way. ReapIfStuck, and between Stop and Resume what is const, may be called by another.
//
// It never waits for "any child": the program it is in has children of its own.
class ThreadStopper {
 public:
  // Borrows the descriptor of /proc/PID.
  ThreadStopper(int directory, pid_t pid) : directory_(directory), pid_(pid) {}
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
  void ReapIfStuck() { reaper_.ReapIfStuck(); }

  bool stopped() const { return stopped_; }
  // By number, the foreign one left out.
  std::vector<pid_t> StoppedThreads() const;
  // From the first thread asked to stop to the last one let go, of the last Stop that succeeded; so
  // far, while stopped.
  Duration StoppedTime() const;
  PauseTimes times() const { return times_; }

 private:
  struct Thread {
    bool asked = false;
    bool stopped = false;
    bool gone = false;
  };

  // `found`: how many there were. `whole`: no thread can have been missed.
  Result<void> SeizeNew(size_t* found, bool* whole);
  // Those that are not seized yet and need stopping.
  std::vector<pid_t> FindNew(bool* whole) const;
  // False for a thread that needs no stopping.
  Result<bool> Seize(pid_t tid);
  void AskAll();
  // False when a thread did not stop before `end`.
  Result<bool> CollectAll(TimePoint end, const PauseOptions& options);
  void ForgetLost();
  void Collect(pid_t tid, Thread* thread);
  void Lose(Thread* thread);
  bool HoldsAll() const;
  // As many as there are, the dead that are still listed and the kernel's workers included.
  size_t CountThreads() const;
  bool IsOurs(pid_t tid) const;
  // True when all threads there are were stopped before `end`.
  Result<bool> TryToStop(const PauseOptions& options);
  // Of one try, from the seizing on.
  Result<bool> Try(const PauseOptions& options);
  // False when it was not stopped in time.
  Result<bool> StopForeign(const PauseOptions& options);
  Result<void> CheckCancelled(const PauseOptions& options) const;
  void Release(pid_t tid, Thread* thread);
  void ReleaseAll();
  Error TooSlow() const;

  int directory_;
  pid_t pid_;
  std::map<pid_t, Thread> threads_;  // seized; those that are gone stay until released
  TraceeReaper reaper_;
  ForeignThread* foreign_ = nullptr;    // from Stop to Resume
  std::optional<Error> foreign_error_;  // why the last try did not stop it
  pid_t foreign_tid_ = 0;               // 0 while it is not stopped
  bool lost_ = false;                   // something seized went without being let go
  bool stopped_ = false;
  TimePoint asked_;
  Duration stopped_time_{0};
  PauseTimes times_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_THREAD_STOPPER_H_
