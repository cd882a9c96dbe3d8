// Waits until each thread of a process has been outside the kernel once.
#ifndef STILLFRAME_TARGET_THREAD_PASSAGE_H_
#define STILLFRAME_TARGET_THREAD_PASSAGE_H_

#include <sys/types.h>

#include "stillframe/error.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "target/seized_threads.h"

namespace stillframe {

// A thread that stops for its tracer does so on its way out of the kernel, and nobody has to wait
// for it: each is let go at once. To stop cuts some calls short (epoll_wait ends with EINTR), so a
// thread that sleeps in a call that moves no data is left alone: it is not in any other.
//
// For one use. Thread rule: as SeizedThreads.
class ThreadPassage {
 public:
  // Borrows the descriptor of /proc/PID.
  ThreadPassage(int directory, pid_t pid)
      : directory_(directory), pid_(pid), threads_(directory, pid) {}

  // See Target::AwaitSystemCalls. End must follow, whatever comes of it.
  Result<void> Await(const PauseOptions& options);
  // False when the tracer may still hold some thread, see ThreadStopper::Resume.
  bool End();
  // While another thread is in Await, every few milliseconds, see TraceeReaper.
  void ReapIfStuck() { threads_.ReapIfStuck(); }

 private:
  // All that are seized.
  Result<void> PassAll(TimePoint end, const PauseOptions& options);
  bool SleepsInQuietCall(pid_t tid) const;
  Error TooSlow() const;

  int directory_;
  pid_t pid_;
  SeizedThreads threads_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_THREAD_PASSAGE_H_
