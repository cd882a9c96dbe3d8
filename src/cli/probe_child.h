// A process to try things on.
#ifndef STILLFRAME_CLI_PROBE_CHILD_H_
#define STILLFRAME_CLI_PROBE_CHILD_H_

#include <sys/types.h>

#include "base/unique_fd.h"
#include "stillframe/error.h"

namespace stillframe {

// Sleeps until this object goes, and no longer than we live. It is no descendant of ours any more,
// as targets are none: Yama lets anybody trace a descendant.
class ProbeChild {
 public:
  static Result<ProbeChild> Start();
  ProbeChild(ProbeChild&&) = default;

  pid_t pid() const { return pid_; }
  // A byte that holds kByte, at the same address there as here.
  static const char& byte();
  static constexpr char kByte = 42;

 private:
  ProbeChild(pid_t pid, UniqueFd alive) : pid_(pid), alive_(std::move(alive)) {}

  pid_t pid_;
  UniqueFd alive_;  // our end of a socket; the child ends when it closes
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_PROBE_CHILD_H_
