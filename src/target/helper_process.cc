#include "target/helper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/clock.h"
#include "base/service_thread.h"
#include "sys/pidfd.h"

namespace stillframe {
namespace {

constexpr int kOomScoreLength = 5;

// Blocks all signals of this thread, so that no handler of the program's runs in the forked child.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

 private:
  sigset_t saved_;
};

// Without an exit signal: the program we are in has children of its own and must not come upon
// ours. The raw call also leaves out the program's pthread_atfork handlers.
pid_t ForkQuietly() {
  return static_cast<pid_t>(syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr));
}

void WaitForEver(pid_t pid) {
  while (waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace

HelperProcess::~HelperProcess() {
  if (AwaitEnd(kPatience)) return;
  if (lease_->Revoke()) {
    Kill();
    if (AwaitEnd(kPatience)) return;
  }
  ServiceThread("wait", 0, [pid = pid_] { WaitForEver(pid); }).detach();
}

Result<void> HelperProcess::Start(HelperBody body, const void* order) {
  STILLFRAME_ASSIGN(lease_, Shared<HelperLease>::Make());
  const BlockSignals block;
  const pid_t pid = ForkQuietly();
  if (pid == 0) {
    body(order, lease_.get());
    _exit(0);
  }
  if (pid < 0) return FailErrno(errno, "starting the injection helper");
  pid_ = pid;
  pidfd_ = OpenPidfd(pid);
  return {};
}

bool HelperProcess::AwaitEnd(Duration timeout) {
  if (Reap()) return true;
  const TimePoint end = MonotonicClock().Now() + timeout;
  // Where there is no descriptor for it (none left), looked for every now and then.
  constexpr auto kBetween = std::chrono::milliseconds(10);
  pollfd entry{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - MonotonicClock().Now());
    if (left.count() <= 0) return Reap();
    const auto wait = pidfd_ ? left : std::min(left, std::chrono::milliseconds(kBetween));
    poll(&entry, 1, static_cast<int>(wait.count()));
    if (Reap()) return true;
  }
}

void HelperProcess::Kill() {
  // The number is its own for as long as it was not reaped.
  if (pidfd_) {
    syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  } else {
    kill(pid_, SIGKILL);
  }
}

bool HelperProcess::Reap() {
  if (pid_ == 0) return true;
  const pid_t reaped = waitpid(pid_, nullptr, __WALL | WNOHANG);
  if (reaped == 0 || (reaped < 0 && errno == EINTR)) return false;
  pid_ = 0;
  return true;
}

void ShelterHelper() {
  prctl(PR_SET_NAME, "stillframe-inject");
  // Not a session of its own: with sched_autogroup_enabled that is a new scheduling group, which
  // got no CPU for seconds on a busy machine (seen on 6.18).
  setpgid(0, 0);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);  // ignored, it would not be sent
  const UniqueFd score(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (score) {
    [[maybe_unused]] const ssize_t n = write(score.get(), "-1000", kOomScoreLength);
  }
}

void CloseAllBut([[maybe_unused]] std::span<int> kept) {
#ifndef STILLFRAME_FAIL_POINTS  // whose trace file must stay open
  std::ranges::sort(kept);
  unsigned first = 0;
  for (const int fd : kept) {
    if (fd < 0) continue;
    if (static_cast<unsigned>(fd) > first) {
      close_range(first, static_cast<unsigned>(fd) - 1, 0);
    }
    first = static_cast<unsigned>(fd) + 1;
  }
  close_range(first, ~0u, 0);
#endif
}

}  // namespace stillframe
