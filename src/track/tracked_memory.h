// The write-protected memory of one save: where its pages are, and what became of each.
#ifndef STILLFRAME_TRACK_TRACKED_MEMORY_H_
#define STILLFRAME_TRACK_TRACKED_MEMORY_H_

#include <atomic>
#include <memory>
#include <utility>

#include "base/mapped_memory.h"
#include "region/page_ledger.h"
#include "region/region_map.h"
#include "region/region_set.h"
#include "track/arming_log.h"
#include "track/move_journal.h"

namespace stillframe {

// What is known of each page, by its number.
struct PageRecords {
  explicit PageRecords(Pages size) : ledger(size), arming(size) {}

  PageLedger ledger;
  ArmingLog arming;  // until the instant
};

// Made before anything is armed, of mappings that stand still, and anew when they have changed;
// lives in mapped memory (MakeMapped), since the tracker writes it.
struct TrackedMemory {
  explicit TrackedMemory(RegionSet set) : TrackedMemory(std::move(set), Pages{0}) {}
  // `spare`: page numbers for memory that comes later, see the other one. What is never used of
  // them costs addresses of ours only.
  TrackedMemory(RegionSet set, Pages spare)
      : TrackedMemory(MakeMapped<PageRecords>(set.pages() + spare), std::move(set)) {}
  // The same pages where they are now, known by the same numbers, and others: nothing is copied,
  // whatever is noted through one of the two the other one knows as well. `set` has room in the
  // records of `before`.
  TrackedMemory(RegionSet set, const TrackedMemory& before)
      : TrackedMemory(before.records, std::move(set)) {}

  // How many page numbers there can be.
  Pages room() const { return ledger.present.size(); }

  const RegionSet regions;
  RegionMap map;
  const std::shared_ptr<PageRecords> records;
  PageLedger& ledger;
  ArmingLog& arming;
  MoveJournal journal;
  // Pages that turned out lost so far. The ledger says which.
  std::atomic<uint64_t> lost = 0;

 private:
  TrackedMemory(std::shared_ptr<PageRecords> shared, RegionSet&& set)
      : regions(std::move(set)),
        map(regions),
        records(std::move(shared)),
        ledger(records->ledger),
        arming(records->arming) {}
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_TRACKED_MEMORY_H_
