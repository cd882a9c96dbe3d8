// The write-protected memory of one save: where its pages are, and what became of each.
#ifndef STILLFRAME_TRACK_TRACKED_MEMORY_H_
#define STILLFRAME_TRACK_TRACKED_MEMORY_H_

#include <atomic>
#include <utility>

#include "region/page_ledger.h"
#include "region/region_map.h"
#include "region/region_set.h"
#include "track/arming_log.h"
#include "track/move_journal.h"

namespace stillframe {

// Made before anything is armed, or anew in the pause, of mappings that stand still; lives in
// mapped memory (MakeMapped), since the tracker writes it.
struct TrackedMemory {
  explicit TrackedMemory(RegionSet set)
      : regions(std::move(set)), map(regions), ledger(regions.pages()), arming(regions.pages()) {}

  const RegionSet regions;
  RegionMap map;
  PageLedger ledger;
  ArmingLog arming;  // until the instant
  MoveJournal journal;
  // Pages that turned out lost so far. The ledger says which.
  std::atomic<uint64_t> lost = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_TRACKED_MEMORY_H_
