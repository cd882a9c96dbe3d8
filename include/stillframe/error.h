// What every fallible call of this library returns. No exception crosses a module.
#ifndef STILLFRAME_ERROR_H_
#define STILLFRAME_ERROR_H_

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "stillframe/units.h"

namespace stillframe {

// One code for each thing a caller would do differently. The command's exit codes follow from them
// (README).
enum class ErrorCode {
  kInternal,  // none of the others; a bug, or a kernel that answered in an unknown way
  kUsage,     // the caller asked for something that makes no sense
  kLimit,     // a limit was broken (max-stall, stop-timeout, on-lost=abort) and the image given up
  kTargetGone,   // the target is gone, or another program took its place by exec
  kPermission,   // the kernel would do it, but not for us
  kUnsupported,  // a feature of the kernel is missing, or this kind of target can't be saved
  kDamaged,      // the image is not one, is cut off, was altered, or is of a version to come
  kOutput,       // no space, or the output failed
  kInterrupted,  // the caller cancelled
};

// The name that stands in the JSON output: "target-gone" for kTargetGone, and so on.
std::string_view ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  // What was tried, on what, and why it failed, errno's text included: a sentence without a full
  // stop.
  std::string message;
  // What the user may do about it; may be empty.
  std::string hint;
  // The system's own word for it; 0 where no system call was at fault.
  int system_errno = 0;
  // Where in the target it happened.
  std::optional<TargetAddress> address = std::nullopt;
};

template <class T>
using Result = tl::expected<T, Error>;

// A failed Result without a system call behind it.
tl::unexpected<Error> Fail(ErrorCode code, std::string message, std::string hint = {});

// A failed Result for a system call: "OPERATION: text of errno". EPERM and EACCES become
// kPermission, ESRCH kTargetGone, ENOSPC, EDQUOT, EFBIG, EIO, EPIPE and EROFS kOutput, ENOSYS
// kUnsupported, all others `otherwise`.
tl::unexpected<Error> FailErrno(int errno_value, std::string operation, std::string hint = {},
                                ErrorCode otherwise = ErrorCode::kInternal);

}  // namespace stillframe

// Returns from the enclosing function with the error of a Result<void> expression.
#define STILLFRAME_TRY(expression)                                 \
  do {                                                             \
    if (auto stillframe_result = (expression); !stillframe_result) \
      return tl::unexpected(std::move(stillframe_result).error()); \
  } while (false)

#define STILLFRAME_CONCAT_(a, b) a##b
#define STILLFRAME_CONCAT(a, b) STILLFRAME_CONCAT_(a, b)
#define STILLFRAME_ASSIGN_(temporary, declaration, expression)         \
  auto temporary = (expression);                                       \
  if (!temporary) return tl::unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)
// STILLFRAME_ASSIGN(auto x, F()); takes the value of a Result, or returns its error.
#define STILLFRAME_ASSIGN(declaration, expression) \
  STILLFRAME_ASSIGN_(STILLFRAME_CONCAT(stillframe_result_, __LINE__), declaration, expression)

#endif  // STILLFRAME_ERROR_H_
