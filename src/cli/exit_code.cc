#include "cli/exit_code.h"

#include <csignal>

namespace stillframe {

int ExitCodeOf(ErrorCode code, int signal) {
  switch (code) {
    case ErrorCode::kInternal:
      return 1;
    case ErrorCode::kUsage:
      return 2;
    case ErrorCode::kLimit:
      return 3;
    case ErrorCode::kTargetGone:
      return 4;
    case ErrorCode::kPermission:
      return 5;
    case ErrorCode::kUnsupported:
      return 6;
    case ErrorCode::kDamaged:
      return 7;
    case ErrorCode::kOutput:
      return 8;
    case ErrorCode::kInterrupted:
      return 128 + (signal != 0 ? signal : SIGINT);
  }
  return 1;
}

}  // namespace stillframe
