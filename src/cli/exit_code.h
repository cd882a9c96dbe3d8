// The command's exit codes; the README lists them.
#ifndef STILLFRAME_CLI_EXIT_CODE_H_
#define STILLFRAME_CLI_EXIT_CODE_H_

#include "stillframe/error.h"

namespace stillframe {

inline constexpr int kExitDone = 0;
inline constexpr int kExitPagesLost = 9;  // the image was written, but some pages are missing in it

// `signal`: the one that interrupted us, for kInterrupted; 0 when it was no signal.
int ExitCodeOf(ErrorCode code, int signal = 0);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_EXIT_CODE_H_
