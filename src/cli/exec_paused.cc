#include "cli/exec_paused.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "cli/exec_supervisor.h"
#include "cli/option_value.h"

namespace stillframe {
namespace {

constexpr char kHint[] = "the save was given up; the target runs on";

// How long we wait for SIGKILL to have its effect before we go on without: a process in
// uninterruptible sleep must not keep the target stopped. The supervisor goes on waiting for it.
constexpr Duration kKillPatience = std::chrono::seconds(1);

timespec ToTimespec(Duration duration) {
  const int64_t ns = std::max<int64_t>(0, duration.count());
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
}

enum class Wake { kOutcome, kCancelled, kTimeout };

// `cancel` -1: not listened to.
Wake WaitFor(int socket, int cancel, TimePoint deadline) {
  for (;;) {
    std::array<pollfd, 2> events = {{{socket, POLLIN, 0}, {cancel, POLLIN, 0}}};
    const timespec left = ToTimespec(deadline - MonotonicClock().Now());
    const int ready = ppoll(events.data(), events.size(), &left, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Wake::kTimeout;
    return events[1].revents != 0 ? Wake::kCancelled : Wake::kOutcome;
  }
}

Result<void> ToResult(const ExecOutcome& outcome) {
  if (outcome.kind != ExecOutcome::kEnded) {
    return FailErrno(outcome.detail, "start the --exec-paused command", kHint);
  }
  if (WIFSIGNALED(outcome.detail)) {
    return Fail(ErrorCode::kInternal,
                "the --exec-paused command was killed by signal " +
                    std::to_string(WTERMSIG(outcome.detail)),
                kHint);
  }
  if (const int status = WEXITSTATUS(outcome.detail); status != 0) {
    return Fail(ErrorCode::kInternal,
                "the --exec-paused command failed with status " + std::to_string(status), kHint);
  }
  return {};
}

}  // namespace

ExecPaused::ExecPaused(pid_t supervisor, UniqueFd socket, UniqueFd cancel)
    : supervisor_(supervisor), socket_(std::move(socket)), cancel_(std::move(cancel)) {}

Result<std::unique_ptr<ExecPaused>> ExecPaused::Start(const std::string& command) {
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(errno, "make a socket for --exec-paused");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  UniqueFd cancel(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cancel) return FailErrno(errno, "make an eventfd for --exec-paused");
  const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  const pid_t supervisor = fork();
  if (supervisor == 0) RunExecSupervisor(theirs.get(), self.get(), command.c_str());
  if (supervisor < 0) return FailErrno(errno, "fork the supervisor of --exec-paused");
  FailPoint("exec.supervised");
  return std::unique_ptr<ExecPaused>(
      new ExecPaused(supervisor, std::move(ours), std::move(cancel)));
}

ExecPaused::~ExecPaused() {
  socket_.reset();  // end of file: it kills what is left, and ends
  const TimePoint deadline = MonotonicClock().Now() + kKillPatience;
  while (waitpid(supervisor_, nullptr, WNOHANG) == 0 && MonotonicClock().Now() < deadline) {
    const timespec moment = ToTimespec(std::chrono::milliseconds(1));
    nanosleep(&moment, nullptr);
  }
}

Result<void> ExecPaused::Run(pid_t target, Duration timeout) {
  const TimePoint deadline = MonotonicClock().Now() + timeout;
  const ExecRequest request{target};
  if (send(socket_.get(), &request, sizeof(request), MSG_NOSIGNAL) < 0) {
    return FailErrno(errno, "ask for the --exec-paused command", kHint);
  }
  FailPoint("exec.started");
  switch (WaitFor(socket_.get(), cancel_.get(), deadline)) {
    case Wake::kCancelled:
      return Kill({.code = ErrorCode::kInterrupted,
                   .message = "interrupted during the --exec-paused command",
                   .hint = kHint});
    case Wake::kTimeout:
      return Kill({.code = ErrorCode::kLimit,
                   .message = "the --exec-paused command did not end within " +
                              DurationText(timeout) + " (--exec-timeout), so it was killed",
                   .hint = kHint});
    case Wake::kOutcome:
      break;
  }
  ExecOutcome outcome;
  if (recv(socket_.get(), &outcome, sizeof(outcome), 0) != sizeof(outcome)) {
    return Fail(ErrorCode::kInternal, "the supervisor of the --exec-paused command is gone", kHint);
  }
  FailPoint("exec.ended");
  return ToResult(outcome);
}

Result<void> ExecPaused::Kill(Error reason) {
  const ExecRequest request{0};
  send(socket_.get(), &request, sizeof(request), MSG_NOSIGNAL);
  const TimePoint deadline = MonotonicClock().Now() + kKillPatience;
  // The command may have ended in the same moment, and its outcome come before the answer.
  while (WaitFor(socket_.get(), -1, deadline) == Wake::kOutcome) {
    ExecOutcome outcome;
    if (recv(socket_.get(), &outcome, sizeof(outcome), 0) != sizeof(outcome)) break;
    if (outcome.kind == ExecOutcome::kKilled) break;
  }
  return tl::unexpected(std::move(reason));
}

void ExecPaused::Cancel() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(cancel_.get(), &one, sizeof(one));
}

}  // namespace stillframe
