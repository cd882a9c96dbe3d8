// The session's side of a fork: one pause, in which a helper holds a thread of the target and makes
// it fork.
#ifndef STILLFRAME_TARGET_FORKER_H_
#define STILLFRAME_TARGET_FORKER_H_

#include <sys/types.h>

#include <functional>
#include <memory>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/target.h"
#include "sys/shared_memory.h"
#include "target/foreign_thread.h"
#include "target/fork_protocol.h"
#include "target/frozen_child.h"
#include "target/held_thread.h"
#include "target/helper_process.h"
#include "target/process_handle.h"

namespace stillframe {

// Thread rule: one thread. Destroyed, it lets go of the thread; a FrozenMemory lives on.
class Forker final : public ForeignThread {
 public:
  // Starts the helper, which does not touch the target yet. Borrows `process`. kUnsupported when
  // the target would be told of the fork.
  static Result<std::unique_ptr<Forker>> Start(const ProcessHandle& process);
  ~Forker() override;

  Result<pid_t> Stop(TimePoint end, const PauseOptions& options) override;
  void LetGo() override;
  void AwaitLetGo() override;

  // Of the thread that is held, as it was when it stopped.
  const HeldThread& held() const { return *held_; }
  // Once. kInterrupted when the pause is called off meanwhile, as then its end is not waited for.
  Result<std::unique_ptr<FrozenMemory>> Fork();

 private:
  explicit Forker(const ProcessHandle& process) : process_(process) {}

  Result<void> StartHelper();
  bool Send(ForkCommandKind kind, TimePoint deadline);
  // The answer to the command that was sent last, until `end`. `cancelled` may be empty.
  Result<ForkAnswer> AwaitAnswer(TimePoint end, const std::function<bool()>& cancelled,
                                 FrozenFds* fds);
  // No command may follow; the helper lets go of the thread by itself.
  void HangUp();
  Duration LongestFork() const;

  const ProcessHandle& process_;
  Shared<HeldThread> held_;
  UniqueFd hold_;  // of fork_protocol.h
  UniqueFd life_;
  std::function<bool()> cancelled_;  // of the pause; may be empty
  bool asked_to_let_go_ = false;
  std::shared_ptr<HelperProcess> helper_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FORKER_H_
