// The write-protected part of the target: registered while that stands still, armed before the
// pause and in it, unregistered gently at the end.
#ifndef STILLFRAME_SAVE_ARMED_MEMORY_H_
#define STILLFRAME_SAVE_ARMED_MEMORY_H_

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "base/mapped_memory.h"
#include "base/unique_fd.h"
#include "fault/fault_channel.h"
#include "region/region_set.h"
#include "save/save_plan.h"
#include "stillframe/error.h"
#include "stillframe/target.h"
#include "sys/page_watch.h"
#include "track/tracked_memory.h"

namespace stillframe {

// Thread rule: the session's.
class ArmedMemory {
 public:
  // Both outlive it.
  ArmedMemory(const Target& target, const FaultChannel& channel);

  // Registers what is planned to be armed. What the kernel refuses is planned to be copied instead.
  // kUnsupported when another userfaultfd has some of it. Events of the target come from here on:
  // somebody must read them.
  //
  // Another process must stand still: were a mapping to change between our reading of it and this,
  // a part of one would be registered, which splits it in two, and mremap(2) refuses a range that
  // lies in two mappings.
  Result<void> Register(std::vector<PlannedMapping>* plan);
  // The same for all of it again, where a mapping may have come to the place of another one. For
  // another process that stands still.
  Result<void> RegisterAnew(std::vector<PlannedMapping>* plan);
  // Plans mappings to be copied that the kernel refused before, and that look as they did then.
  void LeaveRefused(std::vector<PlannedMapping>* plan) const;
  // As Register, where the kernel can be asked what is registered: that is left as it is, and all
  // else is registered again, whatever was registered there before. Returns by address what was
  // not. For another process that stands still.
  Result<std::vector<AddressRange>> RegisterUnwatched(std::vector<PlannedMapping>* plan,
                                                      const PageWatch& watch);

  // The regions of all that is planned to be armed.
  MappedPtr<TrackedMemory> MakeTracked(std::span<const PlannedMapping> plan) const;
  // While the target stands still: `before` itself if it still describes the
  // plan, or else a new one that knows of the early armed memory what `before` knows. Takes as long
  // as there are mappings, and as what changed, but not as there is memory.
  MappedPtr<TrackedMemory> BringUpToDate(std::span<const PlannedMapping> plan,
                                         MappedPtr<TrackedMemory>& before) const;
  // After it, once the tracker goes by `now`: what that still noted in `before` meanwhile.
  static void CatchUp(const TrackedMemory& before, TrackedMemory* now);
  // Inside the pause. Write-protects all regions and notes in the ledger which pages exist: of
  // those that were armed early what is still missing.
  Result<void> Arm(std::span<const PlannedMapping> plan, TrackedMemory* tracked);

  // Opens what is left and unregisters everything, wherever it is by now, without holding the
  // target's mmap lock for long and without splitting a mapping: mremap(2) refuses a range that
  // lies in two. `tracked` may be null.
  void Release(const TrackedMemory* tracked);

 private:
  // Plans it to be copied if it can't be.
  Result<void> RegisterOne(PlannedMapping* planned);
  // Those of mappings that touch that are not watched.
  Result<void> RegisterStretch(std::span<PlannedMapping> stretch, const PageWatch& watch,
                               std::vector<AddressRange>* fresh);
  // Of shared memory, for as long as it is armed; or else it is planned to be copied.
  bool HoldFile(PlannedMapping* planned);
  // One for each mapping.
  std::vector<Region> RegionsOf(std::span<const PlannedMapping> plan) const;
  // Private memory of 4 KiB pages of another process is armed where it has pages. In our own
  // process nothing may be allocated by now, which the finding of them does.
  bool ArmsWherePopulated(const Region& region) const;
  Result<void> ArmRange(const Region& region);
  // Of all mappings of hugetlb, or of all others.
  Result<void> NotePresent(std::span<const PlannedMapping> plan, bool hugetlb,
                           TrackedMemory* tracked) const;
  Result<void> NotePresentIn(const Region& region, const PlannedMapping& planned,
                             TrackedMemory* tracked) const;
  void OpenInSteps(AddressRange range) const;
  // Those for which `is_ours` holds, and what lies between them, at most so many at once. False
  // when some were refused: the mappings have changed since.
  bool UnregisterGroups(std::span<const Mapping> mappings,
                        const std::function<bool(AddressRange)>& is_ours, size_t most) const;
  // `mappings[first, last)` and the free addresses around them, so that a mapping that grows
  // meanwhile is still taken whole.
  bool UnregisterGroup(std::span<const Mapping> mappings, size_t first, size_t last) const;

  const Target& target_;
  const FaultChannel& channel_;
  const bool is_self_;                                 // the target is this very process
  std::map<TargetAddress, TargetAddress> registered_;  // begin to end
  std::map<TargetAddress, TargetAddress> refused_;     // the same
  std::map<TargetAddress, UniqueFd> files_;            // of shared memory, by its begin
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_ARMED_MEMORY_H_
