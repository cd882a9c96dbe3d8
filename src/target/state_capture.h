// Reads what an ELF core needs of a process beside its memory.
#ifndef STILLFRAME_TARGET_STATE_CAPTURE_H_
#define STILLFRAME_TARGET_STATE_CAPTURE_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "stillframe/error.h"
#include "stillframe/process_state.h"
#include "target/held_thread.h"

namespace stillframe {

// What can be read of a thread that runs.
struct ThreadDetails {
  std::string name;
  uint64_t user_ticks = 0;
  uint64_t system_ticks = 0;
};

// What can be read of a process that runs.
struct ProcessDetails {
  ProcessState process;  // without threads
  std::map<pid_t, ThreadDetails> threads;
};

// `directory`: /proc/PID, here and below.
Result<ProcessDetails> ReadProcessDetails(int directory, pid_t pid);

// The same with the registers and signals of the threads in `stopped`, which the calling thread
// holds stopped, and of `held`, which another process holds and has read; null for none. Of threads
// that `details` does not know just the name is read.
Result<ProcessState> CaptureProcessState(int directory, const ProcessDetails& details,
                                         std::span<const pid_t> stopped, const HeldThread* held);

// All but registers and signals, which a running thread doesn't show.
Result<ProcessState> CaptureRunningState(int directory, pid_t pid);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_STATE_CAPTURE_H_
