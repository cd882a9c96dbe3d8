// Writes that fail with an error code instead of a signal.
#ifndef STILLFRAME_STORE_SIGNAL_GUARD_H_
#define STILLFRAME_STORE_SIGNAL_GUARD_H_

#include <signal.h>

namespace stillframe {

// While it lives, this thread's writes to a pipe without a reader (SIGPIPE) or beyond RLIMIT_FSIZE
// (SIGXFSZ) just fail, so that a program that uses the library is not killed. Both signals go to
// the very thread that wrote, so that its own mask suffices and the handlers of the process stay
// what they are. A signal that was pending before is left pending.
//
// Two system calls where nothing fails: a page that a writer waits for may be all that is written.
//
// Thread rule: all on one thread.
class SignalGuard {
 public:
  SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  // errno is kept.
  ~SignalGuard();

  // A guarded write failed: takes back the signal that it may have raised; errno is kept.
  void OnFailure();

 private:
  sigset_t guarded_;  // those of the two that were not pending before
  sigset_t mask_;     // of the thread, to be restored
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_SIGNAL_GUARD_H_
