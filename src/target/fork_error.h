// Puts the failure of a fork of the target into words.
#ifndef STILLFRAME_TARGET_FORK_ERROR_H_
#define STILLFRAME_TARGET_FORK_ERROR_H_

#include "stillframe/error.h"
#include "target/fork_protocol.h"
#include "target/process_handle.h"

namespace stillframe {

// Of an answer whose step is not kDone. Looks which limit it was that made the fork fail.
Error ExplainFork(const ForkAnswer& answer, const ProcessHandle& process);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FORK_ERROR_H_
