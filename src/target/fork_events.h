// Whether somebody would be told of a fork of the target.
#ifndef STILLFRAME_TARGET_FORK_EVENTS_H_
#define STILLFRAME_TARGET_FORK_EVENTS_H_

#include "stillframe/error.h"
#include "target/process_handle.h"

namespace stillframe {

// kUnsupported when the process holds a userfaultfd that asks for UFFD_EVENT_FORK. The fork would
// wait until that event is read, which a thread that stands still never does, and the reader would
// get a userfaultfd of the child.
Result<void> CheckNobodyIsToldOfForks(const ProcessHandle& process);

// How many pages of it are in memory, shared ones included; 0 when that can't be told.
uint64_t ReadResidentPages(int process);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FORK_EVENTS_H_
