// Saving under write protection: the target runs on after a short pause, and each page that it
// wants to write is copied first.
#ifndef STILLFRAME_SAVE_WRITE_PROTECT_WAY_H_
#define STILLFRAME_SAVE_WRITE_PROTECT_WAY_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/mapped_memory.h"
#include "fault/fault_channel.h"
#include "fault/fault_log.h"
#include "save/armed_memory.h"
#include "save/full_stage.h"
#include "save/late_rounds.h"
#include "save/linear_saver.h"
#include "save/output_pump.h"
#include "save/paused_copy.h"
#include "save/pinned_pages.h"
#include "save/pre_arm.h"
#include "save/private_files.h"
#include "save/save_way.h"
#include "save/still_memory.h"
#include "save/tracker_thread.h"
#include "stillframe/throttle.h"
#include "track/fault_tracker.h"
#include "track/stage.h"
#include "track/tracked_memory.h"

namespace stillframe {

// Memory is armed while the target runs, until little is left; inside the pause the rest is, and
// what can't be armed is copied. Then the tracker serves faults on a thread of its own, the
// session's thread scans, and the output's thread writes what both have put into the stage. The
// only way for one's own process.
class WriteProtectWay final : public SaveWay {
 public:
  WriteProtectWay(SaveContext& context, std::unique_ptr<ThrottlePolicy> policy);

  Result<void> Prepare() override;
  Result<void> BeforePause() override;
  Result<void> WhilePaused() override;
  void BeforeResume(bool good) override;
  Result<void> SavePages() override;
  void Release() override;
  Result<std::vector<RangeReason>> Finish() override;
  void End() override;
  void Interrupt() override;
  std::vector<AddressRange> Unreadable() const override;
  void AddTo(SaveSummary* summary) const override;
  void AddTo(SaveProgress* progress) const override;

 private:
  // One's own process is registered before the pause, and everything for it allocated.
  Result<void> PrepareOwn();
  // Where the instant is late: all that can be, before it.
  Result<void> CopyEarly();
  // Private mappings of files, while nothing is armed yet.
  Result<void> CopyFiles();
  // Stops the target for a moment, to register all memory.
  Result<void> RegisterAll();
  // The rounds of the pre-arm; memory that came since the registering is registered too, where it
  // is worth another stop.
  Result<void> ArmEarly();
  // What the sink has to know where it is given pages before the instant.
  Result<void> ExpectEarlyPages();
  // How much came since the registering, counted no further than `enough`.
  Result<Bytes> Unregistered(Bytes enough);
  Result<void> RegisterMore();
  // What the tracker knows from here on.
  void TakeOver(MappedPtr<TrackedMemory> now);
  // The same for what `body` registers, of a plan that is made anew.
  Result<void> WhileStopped(const std::function<Result<void>()>& body);
  // Inside the pause.
  Result<void> ArmTheRest();
  // What can't be armed, or is not guarded by it.
  Result<void> CopyTheRest();
  void StartPump();
  // Below the tracker.
  Result<void> Scan();
  // Asked between runs: an error ends the save.
  Result<void> Check();

  SaveContext& context_;
  const std::unique_ptr<ThrottlePolicy> policy_;
  const StillMemory memory_;
  const MappedPtr<Stage> stage_;
  FullStage full_stage_;
  const MappedPtr<FaultLog> log_;
  const std::unique_ptr<LateRounds> late_;  // where the instant is to be late

  std::optional<FaultChannel> channel_;
  std::optional<ArmedMemory> armed_;
  MappedPtr<FaultTracker> tracker_;
  std::optional<PreArm> pre_arm_;
  MappedPtr<TrackedMemory> early_;  // what the tracker knew before the pause, if that was changed
  MappedPtr<TrackedMemory> tracked_;
  PinnedMemory pinned_;
  PrivateFiles files_;
  PausedCopies copies_;
  std::optional<OutputPump> pump_;
  MappedPtr<LinearSaver> saver_;
  uint64_t lost_checked_ = 0;
  // Behind all that it uses: whatever way this ends, the thread ends first.
  std::optional<TrackerThread> tracker_thread_;

  // Read by AddTo(SaveProgress*), from any thread.
  std::atomic<const LinearSaver*> running_saver_ = nullptr;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_WRITE_PROTECT_WAY_H_
