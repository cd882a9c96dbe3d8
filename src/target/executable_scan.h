// Where a process has code, found where nothing may be allocated.
#ifndef STILLFRAME_TARGET_EXECUTABLE_SCAN_H_
#define STILLFRAME_TARGET_EXECUTABLE_SCAN_H_

#include <sys/types.h>

#include "target/syscall_instruction.h"

namespace stillframe {

// As FindExecutableRanges, from the maps of a thread that stands still; `process`: /proc/PID. The
// vdso, then the first others. No allocation; async-signal-safe.
ExecutableRanges ScanExecutableRanges(int process, pid_t tid);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_EXECUTABLE_SCAN_H_
