// Which limit keeps a process from having another child.
#ifndef STILLFRAME_TARGET_FORK_LIMITS_H_
#define STILLFRAME_TARGET_FORK_LIMITS_H_

#include <string>

namespace stillframe {

struct ForkLimit {
  std::string what;  // "its cgroup may have 20 processes (pids.max of /user), and has them"
  std::string hint;
};

// After clone(2) failed with EAGAIN in the process whose /proc/PID this is.
ForkLimit FindProcessLimit(int process);
// After it failed with ENOMEM.
ForkLimit FindMemoryLimit();

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FORK_LIMITS_H_
