#include "target/forker.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/fd_passing.h"
#include "sys/pidfd.h"
#include "target/fork_error.h"
#include "target/fork_events.h"
#include "target/fork_helper.h"

namespace stillframe {
namespace {

constexpr Duration kGrace = std::chrono::seconds(1);
constexpr auto kSlice = std::chrono::milliseconds(5);  // between two looks whether it was cancelled

std::string Forking(pid_t pid) { return "forking process " + std::to_string(pid) + ": "; }

Result<void> MakePair(pid_t pid, UniqueFd* ours, UniqueFd* theirs) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return FailErrno(errno, Forking(pid) + "making a socket pair");
  }
  ours->reset(ends[0]);
  theirs->reset(ends[1]);
  return {};
}

Result<UniqueFd> Copy(const UniqueFd& fd, pid_t pid) {
  UniqueFd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return FailErrno(errno, Forking(pid) + "copying a descriptor");
  return copy;
}

}  // namespace

Result<std::unique_ptr<Forker>> Forker::Start(const ProcessHandle& process) {
  STILLFRAME_TRY(CheckNobodyIsToldOfForks(process));
  std::unique_ptr<Forker> forker(new Forker(process));
  STILLFRAME_ASSIGN(forker->held_, Shared<HeldThread>::Make());
  STILLFRAME_TRY(forker->StartHelper());
  return forker;
}

Result<void> Forker::StartHelper() {
  UniqueFd their_hold;
  UniqueFd their_life;
  STILLFRAME_TRY(MakePair(process_.pid, &hold_, &their_hold));
  STILLFRAME_TRY(MakePair(process_.pid, &life_, &their_life));
  const UniqueFd ourselves = OpenPidfd(getpid());
  const ForkOrder order{.process = process_.directory.get(),
                        .pidfd = process_.pidfd.get(),
                        .parent = ourselves.get(),
                        .hold = their_hold.get(),
                        .life = their_life.get(),
                        .our_ends = {hold_.get(), life_.get()},
                        .held = held_.get()};
  helper_ = std::make_shared<HelperProcess>();
  STILLFRAME_TRY(helper_->Start(RunForkHelper, &order));
  FailPoint("fork.helper-started");
  return {};
}

Forker::~Forker() {
  HangUp();
  // A program of the user's may have inherited a copy of it, so that it would not be closed.
  if (life_) shutdown(life_.get(), SHUT_WR);
}

void Forker::HangUp() {
  if (hold_) shutdown(hold_.get(), SHUT_RDWR);
  hold_.reset();
}

bool Forker::Send(ForkCommandKind kind, TimePoint deadline) {
  if (!hold_) return false;
  const ForkCommand command{.kind = kind, .deadline_ns = deadline.time_since_epoch().count()};
  return SendWithFds(hold_.get(), std::as_bytes(std::span(&command, 1)), {}) == 0;
}

Result<ForkAnswer> Forker::AwaitAnswer(TimePoint end, const std::function<bool()>& cancelled,
                                       FrozenFds* fds) {
  pollfd entry{.fd = hold_.get(), .events = POLLIN, .revents = 0};
  while (poll(&entry, 1, static_cast<int>(kSlice.count())) <= 0) {
    const bool stop = cancelled && cancelled();
    if (!stop && MonotonicClock().Now() < end) continue;
    HangUp();
    if (stop) return Fail(ErrorCode::kInterrupted, Forking(process_.pid) + "interrupted");
    return Fail(ErrorCode::kLimit, Forking(process_.pid) + "it did not answer in time",
                "a frozen or heavily loaded process can't be forked; try again later");
  }
  ForkAnswer answer;
  ReceivedMessage message =
      ReceiveWithFds(hold_.get(), std::as_writable_bytes(std::span(&answer, 1)));
  if (message.error != 0 || message.size != sizeof(answer)) {
    HangUp();
    return Fail(ErrorCode::kInternal, Forking(process_.pid) + "the injection helper was killed",
                "check that the process still runs; if it was killed in the middle of its work it "
                "may have crashed");
  }
  if (fds == nullptr || answer.step != InjectionStep::kDone) return answer;
  if (message.fd_count != kFrozenFdCount) {
    return Fail(ErrorCode::kInternal, Forking(process_.pid) + "no room for its descriptors here",
                "raise the limit of open files: ulimit -n");
  }
  fds->memory = std::move(message.fds[kFrozenMemory]);
  fds->pagemap = std::move(message.fds[kFrozenPagemap]);
  fds->pidfd = std::move(message.fds[kFrozenPidfd]);
  return answer;
}

Result<pid_t> Forker::Stop(TimePoint end, const PauseOptions& options) {
  cancelled_ = options.cancelled;
  // Hung up on in an earlier try.
  if (!hold_) return Fail(ErrorCode::kLimit, Forking(process_.pid) + "it did not answer in time");
  if (!Send(ForkCommandKind::kHold, end)) {
    return Fail(ErrorCode::kInternal, Forking(process_.pid) + "the injection helper was killed");
  }
  STILLFRAME_ASSIGN(const ForkAnswer answer, AwaitAnswer(end + kGrace, cancelled_, nullptr));
  FailPoint("fork.hold-received");
  if (answer.step != InjectionStep::kDone) return tl::unexpected(ExplainFork(answer, process_));
  return answer.thread;
}

void Forker::LetGo() { asked_to_let_go_ = Send(ForkCommandKind::kRelease, {}); }

void Forker::AwaitLetGo() {
  if (!std::exchange(asked_to_let_go_, false)) return;
  // Whatever it is: without an answer the helper has been hung up on, and lets go when it can.
  [[maybe_unused]] const auto answer =
      AwaitAnswer(MonotonicClock().Now() + kGrace, nullptr, nullptr);
}

// The kernel copies a GiB of page tables in some 20 ms.
Duration Forker::LongestFork() const {
  constexpr Duration kLeast = std::chrono::seconds(10);
  constexpr Duration kPerGiB = std::chrono::milliseconds(500);
  const uint64_t pages = ReadResidentPages(process_.directory.get());
  return kLeast + kPerGiB * static_cast<int64_t>(ToBytes(Pages{pages}).count / GiB(1).count);
}

Result<std::unique_ptr<FrozenMemory>> Forker::Fork() {
  if (!life_) {
    return Fail(ErrorCode::kUsage, Forking(process_.pid) + "once in a pause, and no more");
  }
  if (cancelled_ && cancelled_()) {
    return Fail(ErrorCode::kInterrupted, Forking(process_.pid) + "interrupted");
  }
  FrozenFds fds;
  fds.life = std::move(life_);
  STILLFRAME_ASSIGN(fds.process, Copy(process_.directory, process_.pid));
  STILLFRAME_ASSIGN(fds.target, Copy(process_.pidfd, process_.pid));
  if (!Send(ForkCommandKind::kFork, {})) {
    return Fail(ErrorCode::kInternal, Forking(process_.pid) + "the injection helper was killed");
  }
  auto answer = AwaitAnswer(MonotonicClock().Now() + LongestFork(), cancelled_, &fds);
  FailPoint("fork.child-received");
  if (answer && answer->step == InjectionStep::kDone) {
    return std::make_unique<FrozenChild>(answer->child, answer->child_in_target, process_.pid,
                                         std::move(fds), helper_);
  }
  shutdown(fds.life.get(), SHUT_WR);
  if (!answer) return tl::unexpected(std::move(answer).error());
  return tl::unexpected(ExplainFork(*answer, process_));
}

}  // namespace stillframe
