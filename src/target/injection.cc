#include "target/injection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/fd_passing.h"
#include "target/helper_process.h"
#include "target/injection_error.h"
#include "target/injection_helper.h"
#include "target/injection_report.h"

namespace stillframe {
namespace {

constexpr Duration kGrace = std::chrono::seconds(1);

bool AwaitMessage(int socket, Duration timeout) {
  const TimePoint end = MonotonicClock().Now() + timeout;
  pollfd entry{.fd = socket, .events = POLLIN, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - MonotonicClock().Now());
    const int n = poll(&entry, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (n > 0) return true;
    if (n == 0) return false;
    if (errno != EINTR) return false;
  }
}

std::string Attaching(pid_t pid) { return "attaching to process " + std::to_string(pid); }

Result<InjectedFds> TakeReport(pid_t pid, int socket) {
  InjectionReport report;
  ReceivedMessage message = ReceiveWithFds(socket, std::as_writable_bytes(std::span(&report, 1)));
  FailPoint("attach.report-received");
  if (message.error != 0) return FailErrno(message.error, Attaching(pid));
  if (message.size != sizeof(report)) {
    return Fail(
        ErrorCode::kInternal, Attaching(pid) + ": the injection helper was killed",
        "check that the process still runs; if it was killed in the middle of its work it may "
        "have crashed");
  }
  if (report.step != InjectionStep::kDone) return tl::unexpected(ExplainInjection(report, pid));
  if (message.fd_count != kInjectedFdCount) {
    return Fail(ErrorCode::kInternal, Attaching(pid) + ": no room for its descriptors here",
                "raise the limit of open files: ulimit -n");
  }
  return InjectedFds{.userfaultfd = std::move(message.fds[kInjectedUserfaultfd]),
                     .memory = std::move(message.fds[kInjectedMemory]),
                     .pagemap = std::move(message.fds[kInjectedPagemap]),
                     .stopped = Duration(report.stopped_ns)};
}

}  // namespace

Result<InjectedFds> InjectUserfaultfd(pid_t pid, int process, int pidfd,
                                      const ExecutableRanges& executable, Duration timeout) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return FailErrno(errno, Attaching(pid) + ": making a socket pair");
  }
  const UniqueFd ours(sockets[0]);
  UniqueFd theirs(sockets[1]);
  const UniqueFd device(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
  const int device_error = device ? 0 : errno;
  const InjectionOrder order{.process = process,
                             .pidfd = pidfd,
                             .device = device.get(),
                             .device_error = device_error,
                             .socket = theirs.get(),
                             .pid = pid,
                             .executable = executable,
                             .timeout = timeout};
  HelperProcess helper;
  STILLFRAME_TRY(helper.Start(RunInjectionHelper, &order));
  FailPoint("attach.helper-started");
  theirs.reset();
  if (!AwaitMessage(ours.get(), timeout + kGrace)) {
    return Fail(ErrorCode::kLimit, Attaching(pid) + ": a thread of it did not answer in time",
                "a frozen or heavily loaded process can't be attached to; try again later");
  }
  return TakeReport(pid, ours.get());
}

}  // namespace stillframe
