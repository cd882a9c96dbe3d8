#include "target/fork_error.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "target/fork_limits.h"
#include "target/injection_error.h"

namespace stillframe {
namespace {

Error Unsupported(const ForkAnswer& answer, std::string message, std::string hint) {
  return {.code = ErrorCode::kUnsupported,
          .message = std::move(message),
          .hint = std::move(hint),
          .system_errno = answer.error};
}

Error ExplainClone(const ForkAnswer& answer, const ProcessHandle& process,
                   const std::string& forking) {
  if (answer.error == EAGAIN) {
    ForkLimit limit = FindProcessLimit(process.directory.get());
    return Unsupported(answer, forking + limit.what, std::move(limit.hint));
  }
  if (answer.error == ENOMEM) {
    ForkLimit limit = FindMemoryLimit();
    return Unsupported(answer, forking + limit.what, std::move(limit.hint));
  }
  if (answer.error == ESRCH) {
    return {.code = ErrorCode::kTargetGone,
            .message = forking + "it exited, or was replaced by exec, meanwhile",
            .hint = {},
            .system_errno = ESRCH};
  }
  return Unsupported(answer, forking + std::generic_category().message(answer.error),
                     "use the way wp");
}

}  // namespace

Error ExplainFork(const ForkAnswer& answer, const ProcessHandle& process) {
  const std::string forking = "forking process " + std::to_string(process.pid) + ": ";
  switch (answer.step) {
    case InjectionStep::kFork:
      return ExplainClone(answer, process, forking);
    case InjectionStep::kNamespace:
      return Unsupported(answer,
                         forking +
                             "its children are born in another pid or time namespace than "
                             "its own (unshare)",
                         "save one of its children, or use the way wp");
    case InjectionStep::kFrozenChild:
      return {.code = ErrorCode::kInternal,
              .message = forking + "the child could not be kept: " +
                         std::generic_category().message(answer.error),
              .hint = "out of memory? (dmesg tells); the way wp needs no copy",
              .system_errno = answer.error};
    default:
      return ExplainInjection({.step = answer.step, .error = answer.error, .thread = answer.thread},
                              process.pid);
  }
}

}  // namespace stillframe
