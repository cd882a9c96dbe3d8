// Stops every thread of a process, and lets all of them go again.
#ifndef STILLFRAME_TARGET_THREAD_STOPPER_H_
#define STILLFRAME_TARGET_THREAD_STOPPER_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "sys/tracee.h"
#include "target/foreign_thread.h"
#include "target/tracee_reaper.h"

namespace stillframe {

// Thread rule: one thread, which must live as long as anything is stopped: the kernel lets go of a
// tracer's threads when it dies, in whatever way.
//
// It never waits for "any child": the program it is in has children of its own.
class ThreadStopper {
 public:
  // Borrows the descriptor of /proc/PID.
  ThreadStopper(int directory, pid_t pid) : directory_(directory), pid_(pid) {}
  ThreadStopper(const ThreadStopper&) = delete;
  ThreadStopper& operator=(const ThreadStopper&) = delete;
  ~ThreadStopper();

  // Stops all, those born meanwhile included. `options.stop_timeout` bounds one try; after ten it
  // is given up with kLimit and nothing is stopped, as it is with kInterrupted when
  // `options.cancelled` says so. `foreign` stops one of the threads, and is borrowed until Resume;
  // null for none.
  Result<void> Stop(const PauseOptions& options, ForeignThread* foreign = nullptr);
  // Lets all go. A stopped job stays stopped.
  void Resume();

  bool stopped() const { return stopped_; }
  // The leader first, then by age, the foreign one left out.
  std::vector<pid_t> StoppedThreads() const;
  // From the first thread asked to stop to the last one let go, of the last Stop that succeeded; so
  // far, while stopped.
  Duration StoppedTime() const;

 private:
  struct Thread {
    bool asked = false;
    bool stopped = false;
    bool gone = false;
  };

  // `found`: how many there were.
  Result<void> SeizeNew(size_t* found);
  // False for a thread that needs no stopping.
  Result<bool> Seize(pid_t tid);
  void AskAll();
  // False when a thread did not stop before `end`.
  Result<bool> CollectAll(TimePoint end, const PauseOptions& options);
  void ForgetLost();
  void Collect(pid_t tid, Thread* thread);
  // True when all threads there are were stopped before `end`.
  Result<bool> TryToStop(const PauseOptions& options);
  // Of one try, from the seizing on.
  Result<bool> Try(const PauseOptions& options);
  // False when it was not stopped in time.
  Result<bool> StopForeign(const PauseOptions& options);
  Result<void> CheckCancelled(const PauseOptions& options) const;
  void Release(pid_t tid, Thread* thread);
  void ReleaseAll();
  bool IsOurs(pid_t tid) const;
  // A thread of ours that took its leader's place by exec has its number, too.
  void AdoptLeader();
  void GiveUp();
  Error TooSlow() const;

  int directory_;
  pid_t pid_;
  std::map<pid_t, Thread> threads_;       // seized; those that are gone stay until released
  std::unique_ptr<TraceeReaper> reaper_;  // from Stop to Resume
  ForeignThread* foreign_ = nullptr;      // from Stop to Resume
  std::optional<Error> foreign_error_;    // why the last try did not stop it
  pid_t foreign_tid_ = 0;                 // 0 while it is not stopped
  bool stopped_ = false;
  TimePoint asked_;
  Duration stopped_time_{0};
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_THREAD_STOPPER_H_
