// Reads what an ELF core needs of a process beside its memory.
#ifndef STILLFRAME_TARGET_STATE_CAPTURE_H_
#define STILLFRAME_TARGET_STATE_CAPTURE_H_

#include <sys/types.h>

#include <span>

#include "stillframe/error.h"
#include "stillframe/process_state.h"
#include "target/held_thread.h"

namespace stillframe {

// Of the threads in `stopped`, which the calling thread holds stopped, and of `held`, which another
// process holds and has read; null for none. `directory`: /proc/PID.
Result<ProcessState> CaptureProcessState(int directory, pid_t pid, std::span<const pid_t> stopped,
                                         const HeldThread* held);

// All but registers, mask and siginfo, which a running thread doesn't show.
Result<ProcessState> CaptureRunningState(int directory, pid_t pid);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_STATE_CAPTURE_H_
