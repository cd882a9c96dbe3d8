// Saves pages that the target is about to discard, while its madvise(2) waits for us to read the
// event.
#ifndef STILLFRAME_TRACK_DISCARD_SAVER_H_
#define STILLFRAME_TRACK_DISCARD_SAVER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/mapped_memory.h"
#include "fault/fault_channel.h"
#include "stillframe/target.h"
#include "sys/pagemap.h"
#include "track/stage.h"
#include "track/tracked_memory.h"

namespace stillframe {

// A remove event comes before the pages go. Until it is read nothing can be opened, for anybody; so
// this saves no more than what fits `limit` and half of the free fault slots, and the rest of the
// range is lost if nobody saved it before.
//
// While the event is unread these pages can't be opened, and it is an open that proves that no move
// was under way when the copy was made. So the copies are held until an open succeeds again, and
// dropped if other pages were moved to their place.
//
// Thread rule: the tracker's.
class DiscardSaver {
 public:
  DiscardSaver(const FaultChannel& channel, const Target& target, Stage& stage, const Clock& clock,
               Duration limit);

  // Call while a non-fault event is unread.
  void SaveAhead(TrackedMemory& memory);
  // True while copies wait for Commit.
  bool holds() const { return held_count_ > 0; }
  // Passes the held copies on once nothing is unread any more; until then it does nothing, and is
  // called again.
  void Commit(TrackedMemory& memory);

 private:
  static constexpr uint64_t kPagesAtOnce = 64;
  struct Held {
    PageIndex page;
    TargetAddress address;
    uint32_t slot;
  };

  void SaveRange(TrackedMemory& memory, AddressRange range, TimePoint deadline);
  void SaveRun(TrackedMemory& memory, TargetAddress live, PageRun run);

  const FaultChannel& channel_;
  const Target& target_;
  Stage& stage_;
  const Clock& clock_;
  const Duration limit_;
  MappedArray<Held> held_;
  size_t held_count_ = 0;
  size_t most_ = 0;  // of this round
  uint64_t journal_time_ = 0;
  std::array<PagemapEntry, kPagesAtOnce> entries_ = {};
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_DISCARD_SAVER_H_
