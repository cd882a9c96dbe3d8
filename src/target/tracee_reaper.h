// Takes note of tracees that die while their tracer is itself waiting to seize another one.
//
// PTRACE_SEIZE waits for the target's cred_guard_mutex. A thread of the target that calls exec
// holds it, and first waits for all other threads to be gone; those that are traced are gone only
// when their tracer has waited for them. With the tracer in PTRACE_SEIZE neither would ever come
// back (seen on 6.18 at about one exec in twenty). Any thread of the tracer's process may do that
// waiting, so there is one for it.
#ifndef STILLFRAME_TARGET_TRACEE_REAPER_H_
#define STILLFRAME_TARGET_TRACEE_REAPER_H_

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/service_thread.h"

namespace stillframe {

// Thread rule: the tracer's. It has a thread of its own, which sleeps unless a seizing takes long.
class TraceeReaper {
 public:
  TraceeReaper();
  TraceeReaper(const TraceeReaper&) = delete;
  TraceeReaper& operator=(const TraceeReaper&) = delete;
  ~TraceeReaper();

  // PtraceSeize, with those seized before it looked after. A thread that is reaped here is gone for
  // PtracePoll too.
  int Seize(pid_t tid);

  // Between the two, those seized are looked after as well: for whoever waits for another process
  // of ours that seizes.
  void BeginWaiting();
  void EndWaiting();

 private:
  void Run();
  void ReapTheDead() const;

  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  bool seizing_ = false;
  uint64_t seizures_ = 0;
  std::vector<pid_t> seized_;
  ServiceThread thread_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_TRACEE_REAPER_H_
