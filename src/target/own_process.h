// A Target that is the calling process itself.
#ifndef STILLFRAME_TARGET_OWN_PROCESS_H_
#define STILLFRAME_TARGET_OWN_PROCESS_H_

#include <vector>

#include "base/unique_fd.h"
#include "stillframe/target.h"

namespace stillframe {

// The descriptors of /proc/self that it works through.
struct OwnFds {
  UniqueFd userfaultfd;
  UniqueFd directory;
  UniqueFd memory;
  UniqueFd pagemap;
};

// Made by OpenOwnProcess (stillframe/target.h).
//
// A thread that is brought to rest anywhere may hold the heap's lock, so whatever allocates
// (CaptureState, ReadMappings) is called before the pause or after it, never in it.
class OwnProcess final : public Target {
 public:
  OwnProcess(OwnFds fds, std::vector<AddressRange> ranges, Quiesce quiesce);
  ~OwnProcess() override;

  pid_t pid() const override { return pid_; }
  int userfaultfd() const override { return fds_.userfaultfd.get(); }
  void CloseUserfaultfd() override { fds_.userfaultfd.reset(); }
  int pagemap() const override { return fds_.pagemap.get(); }
  bool IsAlive() const override { return true; }
  Result<void> CheckAlive() const override { return {}; }
  // Only what lies inside the ranges, cut to them.
  Result<std::vector<Mapping>> ReadMappings(bool details) const override;
  ReadOutcome Read(TargetAddress from, std::span<const iovec> to) const override;
  size_t PendingDiscards(std::span<AddressRange> ranges) const override;
  using Target::Pause;
  Result<void> Pause(const PauseOptions& options) override;
  Result<void> AwaitSystemCalls(const PauseOptions& options) override;
  Result<std::unique_ptr<FrozenMemory>> Fork() override;
  Result<void> Resume() override;
  // Names and numbers of the threads as they run; no registers.
  Result<ProcessState> CaptureState() override;
  Duration PauseDuration() const override;
  // What `quiesce` and `resume` took.
  PauseTimes Times() const override { return times_; }
  Duration AttachDuration() const override { return Duration(0); }

 private:
  pid_t pid_;
  OwnFds fds_;
  std::vector<AddressRange> ranges_;
  Quiesce quiesce_;
  bool paused_ = false;
  TimePoint asked_;
  Duration pause_{0};
  PauseTimes times_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_OWN_PROCESS_H_
