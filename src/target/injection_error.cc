#include "target/injection_error.h"

#include <cerrno>
#include <string>
#include <system_error>

namespace stillframe {
namespace {

std::string Describe(int error) { return std::generic_category().message(error); }

Error Make(ErrorCode code, const InjectionReport& report, std::string message,
           std::string hint = {}) {
  return {.code = code,
          .message = std::move(message),
          .hint = std::move(hint),
          .system_errno = report.error};
}

Error NoDevice(const InjectionReport& report, const std::string& attaching) {
  const bool missing = report.error == ENOENT || report.error == ENODEV || report.error == ENXIO;
  const std::string refused =
      attaching + "the process may not call userfaultfd(2) (" + Describe(report.call_error) +
      "), and /dev/userfaultfd could not be opened for it: " + Describe(report.error);
  return Make(missing ? ErrorCode::kUnsupported : ErrorCode::kPermission, report, refused,
              missing
                  ? "/dev/userfaultfd exists since Linux 6.1; in a container it has to be passed in"
                  : "run as root, or give yourself access to /dev/userfaultfd");
}

Error NoThread(const InjectionReport& report, const std::string& attaching) {
  switch (report.error) {
    case 0:
    case ESRCH:
      return Make(ErrorCode::kTargetGone, report, attaching + "it exited meanwhile");
    case EAGAIN:
      return Make(ErrorCode::kLimit, report,
                  attaching + "its threads were always inside restartable sequences", "try again");
    default:
      return Make(ErrorCode::kLimit, report,
                  attaching + "none of its threads could be stopped in time, thread " +
                      std::to_string(report.thread) + " the last one tried",
                  "a thread that waits for a disk or a network file system, or for a vfork child, "
                  "can't be stopped; try again later");
  }
}

Error NoFd(const InjectionReport& report, const std::string& what) {
  if (report.error == EMFILE) {
    return Make(ErrorCode::kUnsupported, report,
                what + "it has no file descriptor left (RLIMIT_NOFILE)",
                "raise its limit: prlimit --nofile=N --pid PID");
  }
  const ErrorCode code = report.error == ENOSYS || report.error == EINVAL  ? ErrorCode::kUnsupported
                         : report.error == EPERM || report.error == EACCES ? ErrorCode::kPermission
                         : report.error == ESRCH                           ? ErrorCode::kTargetGone
                                                                           : ErrorCode::kInternal;
  return Make(code, report, what + Describe(report.error));
}

const char* StepName(InjectionStep step) {
  switch (step) {
    case InjectionStep::kPrepare:
      return "preparing a thread: ";
    case InjectionStep::kUserfaultfd:
      return "userfaultfd(2): ";
    case InjectionStep::kScratchPage:
      return "mapping a page in it: ";
    case InjectionStep::kSocketPair:
      return "making a socket pair in it: ";
    case InjectionStep::kPassDevice:
      return "passing /dev/userfaultfd to it: ";
    case InjectionStep::kCreateFromDevice:
      return "making a userfaultfd from /dev/userfaultfd: ";
    case InjectionStep::kTakeDescriptor:
      return "taking a descriptor from it: ";
    case InjectionStep::kOpenMemory:
      return "opening its memory: ";
    case InjectionStep::kClose:
      return "closing a descriptor in it: ";
    default:
      return "";
  }
}

}  // namespace

Error ExplainInjection(const InjectionReport& report, pid_t pid) {
  const std::string attaching = "attaching to process " + std::to_string(pid) + ": ";
  switch (report.step) {
    case InjectionStep::kFindThread:
      return NoThread(report, attaching);
    case InjectionStep::kRelease:
      return Make(ErrorCode::kTargetGone, report,
                  attaching + "it exited, or was replaced by exec, meanwhile");
    case InjectionStep::kRevoked:
      return Make(ErrorCode::kLimit, report, attaching + "the time for it was up",
                  "try again later");
    case InjectionStep::kSeize:
      return Make(ErrorCode::kPermission, report,
                  attaching + "its threads can't be traced: " + Describe(report.error),
                  "run as root, or with CAP_SYS_PTRACE; end a debugger that traces it");
    case InjectionStep::kThirtyTwoBit:
      return Make(ErrorCode::kUnsupported, report, attaching + "it runs 32-bit code");
    case InjectionStep::kSuspendSeccomp:
      return Make(
          report.error == EPERM ? ErrorCode::kPermission : ErrorCode::kUnsupported, report,
          attaching +
              "it runs under seccomp, which could not be suspended: " + Describe(report.error),
          report.error == EPERM ? "run as root (CAP_SYS_ADMIN) and outside of any seccomp filter"
                                : "the kernel needs CONFIG_CHECKPOINT_RESTORE");
    case InjectionStep::kFindInstruction:
      return Make(ErrorCode::kUnsupported, report,
                  attaching + "there is no syscall instruction in its code");
    case InjectionStep::kOpenDevice:
      return NoDevice(report, attaching);
    default:
      return NoFd(report, attaching + StepName(report.step));
  }
}

}  // namespace stillframe
