// Takes note of tracees that die while their tracer is itself waiting to seize another one.
//
// PTRACE_SEIZE waits for the target's cred_guard_mutex. A thread of the target that calls exec
// holds it, and first waits for all other threads to be gone; those that are traced are gone only
// when their tracer has waited for them. With the tracer in PTRACE_SEIZE neither would ever come
// back (seen on 6.18 at about one exec in twenty). Any thread of the tracer's process may do that
// waiting: here it is the one that waits for the tracer.
#ifndef STILLFRAME_TARGET_TRACEE_REAPER_H_
#define STILLFRAME_TARGET_TRACEE_REAPER_H_

#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <vector>

namespace stillframe {

// Thread rule: the tracer's; ReapIfStuck belongs to another one.
class TraceeReaper {
 public:
  // PtraceSeize, with those seized before it looked after. A thread that is reaped here is gone for
  // PtracePoll too.
  int Seize(pid_t tid);
  // All were let go.
  void Forget();

  // Between the two, those seized are looked after as well: for whoever waits for another process
  // of ours that seizes.
  void BeginWaiting();
  void EndWaiting();

  // To be called every few milliseconds: looks after them when the tracer waits for the same as the
  // last time.
  void ReapIfStuck();

 private:
  std::mutex mutex_;
  bool seizing_ = false;
  uint64_t seizures_ = 0;
  uint64_t last_seizures_ = 0;  // when it was looked last
  std::vector<pid_t> seized_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_TRACEE_REAPER_H_
