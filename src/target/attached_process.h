// A Target that is another process.
#ifndef STILLFRAME_TARGET_ATTACHED_PROCESS_H_
#define STILLFRAME_TARGET_ATTACHED_PROCESS_H_

#include <memory>
#include <optional>
#include <vector>

#include "stillframe/target.h"
#include "target/forker.h"
#include "target/injection.h"
#include "target/process_handle.h"
#include "target/state_capture.h"
#include "target/thread_stopper.h"
#include "target/tracer_thread.h"

namespace stillframe {

// Made by AttachProcess (stillframe/target.h).
class AttachedProcess final : public Target {
 public:
  AttachedProcess(ProcessHandle process, InjectedFds fds);
  ~AttachedProcess() override;

  pid_t pid() const override { return process_.pid; }
  int userfaultfd() const override { return fds_.userfaultfd.get(); }
  Result<void> OpenSecondUserfaultfd(Duration timeout) override;
  int second_userfaultfd() const override { return second_userfaultfd_.get(); }
  void CloseUserfaultfd() override;
  int pagemap() const override { return fds_.pagemap.get(); }
  bool IsAlive() const override;
  Result<void> CheckAlive() const override;
  Result<std::vector<Mapping>> ReadMappings(bool details) const override;
  ReadOutcome Read(TargetAddress from, std::span<const iovec> to) const override;
  size_t PendingDiscards(std::span<AddressRange> ranges) const override;
  using Target::Pause;
  Result<void> Pause(const PauseOptions& options) override;
  Result<void> AwaitSystemCalls(const PauseOptions& options) override;
  Result<std::unique_ptr<FrozenMemory>> Fork() override;
  Result<void> Resume() override;
  Result<void> PrepareState() override;
  Result<ProcessState> CaptureState() override;
  Duration PauseDuration() const override { return stopper_.StoppedTime(); }
  PauseTimes Times() const override { return stopper_.times(); }
  Duration AttachDuration() const override { return fds_.stopped; }

 private:
  Result<void> StartTracer();
  // Of the paused target; on the tracer.
  Result<ProcessState> ReadState(const ProcessDetails& details) const;

  ProcessHandle process_;
  InjectedFds fds_;
  UniqueFd second_userfaultfd_;
  std::unique_ptr<Forker> forker_;          // while paused for a fork; the stopper borrows it
  ThreadStopper stopper_;                   // used on the tracer
  std::optional<ProcessDetails> prepared_;  // for the next pause, or the one that is on
  // What the tracer read in the background of this pause; taken by CaptureState.
  std::optional<Result<ProcessState>> captured_;
  std::unique_ptr<TracerThread> tracer_;  // from the first pause on, unless it had to end
};

// /proc/PID/maps or smaps, whichever thread still shows it.
Result<std::vector<Mapping>> ReadProcessMappings(int directory, pid_t pid, bool details);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_ATTACHED_PROCESS_H_
