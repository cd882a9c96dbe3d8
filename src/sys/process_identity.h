// Which process a number names.
#ifndef STILLFRAME_SYS_PROCESS_IDENTITY_H_
#define STILLFRAME_SYS_PROCESS_IDENTITY_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "stillframe/error.h"

namespace stillframe {

// Numbers come again; these three together don't.
struct ProcessIdentity {
  std::string boot_id;  // /proc/sys/kernel/random/boot_id
  pid_t pid = 0;
  uint64_t start_time = 0;  // clock ticks since boot
  std::string executable;   // what /proc/PID/exe points at; empty where that can't be read
};

// Errors: kTargetGone; as for open(2).
Result<ProcessIdentity> ReadProcessIdentity(pid_t pid);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PROCESS_IDENTITY_H_
