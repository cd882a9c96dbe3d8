#include "store/signal_guard.h"

#include <pthread.h>

#include <cerrno>
#include <ctime>

namespace stillframe {

SignalGuard::SignalGuard() {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGPIPE);
  sigaddset(&both, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &both, &mask_);
  guarded_ = both;
  // Only what this thread had blocked before can be waiting for it.
  if (sigismember(&mask_, SIGPIPE) == 0 && sigismember(&mask_, SIGXFSZ) == 0) return;
  sigset_t pending;
  sigpending(&pending);
  if (sigismember(&pending, SIGPIPE) == 1) sigdelset(&guarded_, SIGPIPE);
  if (sigismember(&pending, SIGXFSZ) == 1) sigdelset(&guarded_, SIGXFSZ);
}

SignalGuard::~SignalGuard() {
  const int saved_errno = errno;
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  errno = saved_errno;
}

void SignalGuard::OnFailure() {
  const int saved_errno = errno;
  const timespec now{};
  while (sigtimedwait(&guarded_, nullptr, &now) > 0 || errno == EINTR) {
  }
  errno = saved_errno;
}

}  // namespace stillframe
