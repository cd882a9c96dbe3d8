#include "target/fork_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/fail_point.h"
#include "base/unique_fd.h"
#include "sys/fd_passing.h"
#include "sys/pidfd.h"
#include "sys/proc_file.h"
#include "sys/tracee.h"
#include "target/fork_protocol.h"
#include "target/forked_child.h"
#include "target/helper_process.h"
#include "target/namespace_check.h"
#include "target/remote_thread.h"
#include "target/straggler_list.h"
#include "target/thread_chooser.h"

namespace stillframe {
namespace {

// How long one try to stop a thread for the reaping takes, and how long until the next.
constexpr Duration kReapTry = std::chrono::milliseconds(200);
constexpr int kFirstReapWait = 20;  // ms
constexpr int kLongestReapWait = 500;
constexpr int kBetweenLooks = 1000;  // ms; news come by signal, this is in case one was missed

UniqueFd OpenSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

class ForkHelper final : public ThreadCheck {
 public:
  ForkHelper(const ForkOrder& order, HelperLease* lease)
      : order_(order), lease_(lease), thread_(lease), signals_(OpenSignals()) {
    if (order.orphan != 0 && lease->Take()) child_.AdoptZombie(order.orphan, order.orphan_pidfd);
  }

  void Run();
  InjectionFailure Check(pid_t tid) override { return CheckNamespaces(order_.process, tid); }

 private:
  bool Done() const {
    return !hold_open_ && !life_open_ && thread_.tid() == 0 &&
           child_.state() == ForkedChild::State::kNone && stragglers_.empty();
  }
  void Sleep();
  void Listen();
  void Step();
  void Obey(const ForkCommand& command);
  void Hold(TimePoint deadline, ForkAnswer* answer);
  InjectionFailure Fork(ForkAnswer* answer);
  void Answer(const ForkAnswer& answer) const;
  void TryToReap();
  int64_t WaitForChild();
  int64_t WaitForChildIn(RemoteThread* thread, const ChosenThread& chosen);
  void ForgetChild();

  const ForkOrder& order_;
  HelperLease* lease_;
  RemoteThread thread_;  // held for the pause
  ChosenThread chosen_;
  ForkedChild child_;
  StragglerList stragglers_;
  UniqueFd signals_;
  bool hold_open_ = true;
  bool life_open_ = true;
  int reap_wait_ = kFirstReapWait;
  bool look_again_ = true;  // a wait in between may have swallowed a signal that was for us
};

void ForkHelper::Run() {
  for (;;) {
    Step();
    if (Done()) return;
    if (!look_again_) Sleep();
    look_again_ = false;
    Listen();
  }
}

void ForkHelper::Sleep() {
  std::array<pollfd, 4> entries = {
      pollfd{.fd = hold_open_ ? order_.hold : -1, .events = POLLIN, .revents = 0},
      pollfd{.fd = life_open_ ? order_.life : -1, .events = POLLIN, .revents = 0},
      pollfd{.fd = hold_open_ || life_open_ ? order_.parent : -1, .events = POLLIN, .revents = 0},
      pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0}};
  const bool retries =
      child_.state() == ForkedChild::State::kZombie || !stragglers_.empty() || !signals_;
  poll(entries.data(), entries.size(), retries ? kFirstReapWait : kBetweenLooks);
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) > 0) {
  }
}

// What we were told, or that there is nobody any more to tell us.
void ForkHelper::Listen() {
  if (order_.parent >= 0 && PidfdExited(order_.parent)) hold_open_ = life_open_ = false;
  std::byte byte;
  if (life_open_) life_open_ = recv(order_.life, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  if (!hold_open_) return;
  ForkCommand command;
  const ssize_t n = recv(order_.hold, &command, sizeof(command), MSG_DONTWAIT);
  if (n == sizeof(command)) {
    Obey(command);
    look_again_ = true;
  } else if (n >= 0 || errno != EAGAIN) {
    hold_open_ = false;
  }
}

void ForkHelper::Step() {
  stragglers_.Poll();
  // It may have been killed, or another thread's exec waits for us to take note of its end.
  const bool gone = thread_.tid() != 0 && thread_.CheckGone();
  if (gone || (!hold_open_ && thread_.tid() != 0)) {
    thread_.Release();
    FailPoint("fork.released");
  }
  child_.Poll();
  if (!life_open_) child_.Kill();
  if (child_.state() == ForkedChild::State::kZombie) TryToReap();
  if (!life_open_ && child_.state() == ForkedChild::State::kNone) {
    shutdown(order_.life, SHUT_RDWR);  // tells whoever waits for it
  }
}

void ForkHelper::Obey(const ForkCommand& command) {
  ForkAnswer answer{.kind = command.kind};
  switch (command.kind) {
    case ForkCommandKind::kHold:
      Hold(TimePoint(Duration(command.deadline_ns)), &answer);
      break;
    case ForkCommandKind::kRelease:
      thread_.Release();
      FailPoint("fork.released");
      break;
    case ForkCommandKind::kFork: {
      const InjectionFailure failure = Fork(&answer);
      answer.step = failure.step;
      answer.error = failure.error;
      break;
    }
  }
  Answer(answer);
}

void ForkHelper::Hold(TimePoint deadline, ForkAnswer* answer) {
  ThreadChooser chooser(order_.process, nullptr, this);
  InjectionFailure failure{.step = InjectionStep::kFindThread, .error = ETIMEDOUT};
  if (stragglers_.empty()) {
    if (chooser.Stop(&thread_, deadline, &chosen_)) {
      FailPoint("fork.held");
      const int error = ReadHeldThread(thread_.tid(), order_.held);
      failure = {error == 0 ? InjectionStep::kDone : InjectionStep::kPrepare, error};
    } else {
      failure = chooser.failure();
      if (failure.error == ETIMEDOUT) stragglers_.Add(chooser.tried());
    }
  }
  answer->step = failure.step;
  answer->error = failure.error;
  answer->thread = chooser.tried();
}

InjectionFailure ForkHelper::Fork(ForkAnswer* answer) {
  if (thread_.tid() == 0 || thread_.gone()) return {InjectionStep::kRelease, ESRCH};
  if (child_.state() != ForkedChild::State::kNone) return {InjectionStep::kFork, EBUSY};
  if (!lease_->Take()) return {InjectionStep::kRevoked, ECANCELED};
  int64_t forked = -thread_.Begin(chosen_.instruction);
  if (forked == 0) forked = child_.Fork(&thread_);
  const int restored = thread_.Restore();
  if (forked < 0) {
    lease_->Drop();
    return {InjectionStep::kFork, static_cast<int>(-forked)};
  }
  const InjectionFailure failure =
      child_.Settle(thread_.tid(), chosen_.instruction, chosen_.seccomp);
  if (failure.step != InjectionStep::kDone) {
    child_.Kill();
    return failure;
  }
  if (restored != 0) return {InjectionStep::kRelease, restored};
  answer->child = child_.pid();
  answer->child_in_target = child_.pid_in_target();
  return {};
}

void ForkHelper::Answer(const ForkAnswer& answer) const {
  const auto bytes = std::as_bytes(std::span(&answer, 1));
  std::array<int, kFrozenFdCount> fds{};
  fds[kFrozenMemory] = child_.memory();
  fds[kFrozenPagemap] = child_.pagemap();
  fds[kFrozenPidfd] = child_.pidfd();
  const bool has_child =
      answer.kind == ForkCommandKind::kFork && answer.step == InjectionStep::kDone;
  SendWithFds(order_.hold, bytes, has_child ? std::span<const int>(fds) : std::span<const int>());
  FailPoint("fork.answered");
}

// The child's tracer, which we are, has waited for it; the target still has to, and only a thread
// of the target can.
void ForkHelper::TryToReap() {
  // Who inherits a child with its parent's end reaps it like any other.
  const bool over = PidfdExited(order_.pidfd) || child_.IsReaped();
  const int64_t waited = over ? -ECHILD : WaitForChild();
  look_again_ = true;
  if (waited == -ECHILD || waited > 0) {
    FailPoint("fork.child-reaped");
    ForgetChild();
  } else {
    const timespec wait{.tv_sec = 0, .tv_nsec = reap_wait_ * 1'000'000L};
    nanosleep(&wait, nullptr);
    reap_wait_ = std::min(reap_wait_ * 2, kLongestReapWait);
  }
}

int64_t ForkHelper::WaitForChild() {
  if (thread_.tid() != 0) return WaitForChildIn(&thread_, chosen_);
  if (!stragglers_.empty()) return -EAGAIN;
  RemoteThread thread(lease_);
  ChosenThread chosen;
  ThreadChooser chooser(order_.process, nullptr, nullptr);
  if (!chooser.Stop(&thread, MonotonicClock().Now() + kReapTry, &chosen)) {
    if (chooser.failure().error == ETIMEDOUT) stragglers_.Add(chooser.tried());
    return -EAGAIN;
  }
  const int64_t result = WaitForChildIn(&thread, chosen);
  thread.Release();
  return result;
}

int64_t ForkHelper::WaitForChildIn(RemoteThread* thread, const ChosenThread& chosen) {
  int64_t result = -thread->Begin(chosen.instruction);
  if (result == 0) {
    // __WCLONE: it can only mean a child with another exit signal than SIGCHLD, should somebody
    // else have waited for ours and a new child have got its number.
    result = thread->Call(SYS_wait4, {static_cast<uint64_t>(child_.pid_in_target()), 0,
                                      static_cast<uint64_t>(__WCLONE | WNOHANG), 0});
  }
  FailPoint("fork.wait4");
  thread->Restore();
  return result;
}

void ForkHelper::ForgetChild() {
  reap_wait_ = kFirstReapWait;
  child_.Forget();
  lease_->Drop();
}

}  // namespace

void RunForkHelper(const void* argument, HelperLease* lease) {
  const auto& order = *static_cast<const ForkOrder*>(argument);
  ShelterHelper();
  // A copy of our ends here would keep the helper from noticing that they were closed.
  for (const int fd : order.our_ends) {
    if (fd >= 0) close(fd);
  }
  std::array<int, 6> kept = {order.process, order.pidfd, order.parent,
                             order.hold,    order.life,  order.orphan_pidfd};
  CloseAllBut(kept);
  FailPoint("fork.helper");
  {
    ForkHelper helper(order, lease);
    helper.Run();
  }
  _exit(0);
}

}  // namespace stillframe
