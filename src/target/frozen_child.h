// The memory of a forked child of the target, as the session sees it.
#ifndef STILLFRAME_TARGET_FROZEN_CHILD_H_
#define STILLFRAME_TARGET_FROZEN_CHILD_H_

#include <memory>

#include "base/unique_fd.h"
#include "stillframe/target.h"
#include "target/helper_process.h"

namespace stillframe {

struct FrozenFds {
  UniqueFd memory;   // /proc/PID/mem
  UniqueFd pagemap;  // /proc/PID/pagemap
  UniqueFd pidfd;
  UniqueFd life;  // of fork_protocol.h
  // Of the target, for the case that the helper is killed and another one has to clean up.
  UniqueFd process;
  UniqueFd target;
};

class FrozenChild final : public FrozenMemory {
 public:
  // `in_target`: its pid as the target sees it.
  FrozenChild(pid_t pid, pid_t in_target, pid_t target, FrozenFds fds,
              std::shared_ptr<HelperProcess> helper);
  // Waits until the target has no trace of the child: that takes about as long as the kernel needs
  // to free the copy. After half a minute it goes on without us.
  ~FrozenChild() override;

  pid_t pid() const override { return pid_; }
  int pagemap() const override { return fds_.pagemap.get(); }
  ReadOutcome Read(TargetAddress from, std::span<const iovec> to) const override;
  Result<void> CheckAlive() const override;

 private:
  pid_t pid_;
  pid_t in_target_;
  pid_t target_;
  FrozenFds fds_;
  std::shared_ptr<HelperProcess> helper_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FROZEN_CHILD_H_
