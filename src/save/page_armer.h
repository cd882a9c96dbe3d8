// Write-protects private memory of 4 KiB pages, and notes which of them exist.
#ifndef STILLFRAME_SAVE_PAGE_ARMER_H_
#define STILLFRAME_SAVE_PAGE_ARMER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "fault/fault_channel.h"
#include "region/region_set.h"
#include "stillframe/error.h"
#include "stillframe/target.h"
#include "sys/page_map_scanner.h"
#include "track/tracked_memory.h"

namespace stillframe {

// KSM takes the marks of what it merges, and tells nobody: such memory is armed inside the pause.
inline bool CanBeArmedEarly(const Region& region) {
  return region.page_size == kPageSize && !region.shared() && !region.mergeable;
}

// Whatever was copied of the run before the instant: no copy of it holds any more.
void ForgetCopies(PageRun run, TrackedMemory& memory);

// Only blocks of 2 MiB that hold a page are armed: where there is none there is mostly no page
// table either, and to mark its holes would build one.
//
// Thread rule: the session's.
class PageArmer {
 public:
  // All outlive it.
  PageArmer(const Target& target, const FaultChannel& channel, TrackedMemory& memory)
      : target_(target),
        channel_(channel),
        memory_(memory),
        scanner_(target.pagemap(), {.marks = false, .huge = true}) {}

  // While the target runs. What turns out to be something else's is noted as foreign, and left.
  //
  // First the blocks that hold anything are armed, then it is asked which pages they hold: what
  // came into being between the two came with a fault.
  Result<void> ArmPopulated(const Region& region, PageRun run);
  // The same where a page may have come into being since without a fault.
  Result<void> ArmNew(const Region& region);
  Result<void> ArmOpened(const Region& region) { return ArmOpened(region, Phase::kRunning); }

  // What is stale, or foreign, taken off its list. Something may be stale again right after.
  std::vector<PageRun> TakeStale(const Region& region);
  std::vector<PageRun> TakeForeign(const Region& region);
  // As if the run had never been armed: what is there is not known. For ArmNew, or ArmRest.
  void AskAnew(PageRun run);

  // Adds to the list what may still come into being without a fault. The regions by address, each
  // once, when no more of them is armed before the pause.
  void ListUnknown(const Region& region);

  // While it stands still, once. What was armed before and is in no log stays as it is; of a region
  // that was never armed that is nothing.
  Result<void> ArmRest(const Region& region);

  // So many calls of the kernel it took.
  uint64_t calls() const { return calls_; }

 private:
  enum class Phase { kRunning, kPaused };

  Result<void> ScanInWindows(AddressRange range, const PageMapScanner::Found& found) const;
  // Stretches of whole blocks that hold pages, by address. Paused, it also notes the pages.
  Result<std::vector<AddressRange>> PopulatedBlocks(const Region& region, PageRun run,
                                                    Phase phase) const;
  Result<void> NotePopulated(const Region& region, AddressRange range);
  Result<void> ArmOpened(const Region& region, Phase phase);
  // Stretches where a page could come into being without a fault, near ones together.
  Result<void> ForEachUnknown(const Region& region,
                              const std::function<Result<void>(PageRun)>& visit) const;
  // In steps, so that whoever wants the mmap lock gets it in between.
  Result<void> ArmInSteps(const Region& region, AddressRange range, Phase phase);
  Result<void> ArmStep(const Region& region, AddressRange step, Phase phase);

  const Target& target_;
  const FaultChannel& channel_;
  TrackedMemory& memory_;
  const PageMapScanner scanner_;
  uint64_t calls_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PAGE_ARMER_H_
