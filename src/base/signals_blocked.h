// All signals of the calling thread, blocked for a while.
#ifndef STILLFRAME_BASE_SIGNALS_BLOCKED_H_
#define STILLFRAME_BASE_SIGNALS_BLOCKED_H_

#include <pthread.h>
#include <signal.h>

namespace stillframe {

// A new thread inherits the mask of its maker: made while this lives, it takes no signals, from its
// first moment on. Thread rule: one thread.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace stillframe

#endif  // STILLFRAME_BASE_SIGNALS_BLOCKED_H_
