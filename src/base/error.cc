#include "stillframe/error.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace stillframe {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kUsage:
      return "usage";
    case ErrorCode::kLimit:
      return "limit";
    case ErrorCode::kTargetGone:
      return "target-gone";
    case ErrorCode::kPermission:
      return "permission";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kDamaged:
      return "damaged";
    case ErrorCode::kOutput:
      return "output";
    case ErrorCode::kInterrupted:
      return "interrupted";
  }
  return "internal";
}

tl::unexpected<Error> Fail(ErrorCode code, std::string message, std::string hint) {
  return tl::unexpected(
      Error{.code = code, .message = std::move(message), .hint = std::move(hint)});
}

tl::unexpected<Error> FailErrno(int errno_value, std::string operation, std::string hint,
                                ErrorCode otherwise) {
  ErrorCode code = otherwise;
  switch (errno_value) {
    case EPERM:
    case EACCES:
      code = ErrorCode::kPermission;
      break;
    case ESRCH:
      code = ErrorCode::kTargetGone;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
    case EPIPE:
    case EROFS:
      code = ErrorCode::kOutput;
      break;
    case ENOSYS:
      code = ErrorCode::kUnsupported;
      break;
    default:
      break;
  }
  return tl::unexpected(
      Error{.code = code,
            .message = std::move(operation) + ": " + std::generic_category().message(errno_value),
            .hint = std::move(hint),
            .system_errno = errno_value});
}

}  // namespace stillframe
