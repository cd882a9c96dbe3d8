// Copies memory that is armed before the instant, while the target runs.
#ifndef STILLFRAME_SAVE_LATE_COPY_H_
#define STILLFRAME_SAVE_LATE_COPY_H_

#include <array>
#include <atomic>
#include <functional>
#include <span>

#include "base/mapped_memory.h"
#include "save/plain_saver.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "sys/pagemap.h"
#include "track/tracked_memory.h"

namespace stillframe {

// A copy counts when its page was armed before it was begun and, as bit 57 of the page map says,
// still after it was made. It then holds until the page is opened, discarded, unmapped or moved,
// which the lists of the ArmingLog tell of; whoever works off those lists forgets it. What is left
// at the instant is saved already: in the ledger it is claimed, proven and settled, and neither
// tracker nor scan copies it again.
//
// What was written by DMA behind the protection (O_DIRECT) is no business of this: let no system
// call that may do so be under way between the arming and the copy, see Target::AwaitSystemCalls.
//
// Thread rule: the session's; done() from any.
class LateCopy {
 public:
  static constexpr Pages kAtOnce{256};

  // Both outlive it. The sink must allow repeats.
  LateCopy(const Target& target, PageSink& sink, const OutputPacer& pacer);

  // One round: every page that can be armed early, exists, and has no copy that holds. `check` is
  // asked before each piece of 1 MiB: its error ends the round.
  Result<void> CopyMissing(TrackedMemory& memory, const std::function<Result<void>()>& check);
  // So many pages a round would copy.
  static Pages Missing(const TrackedMemory& memory);

  // All that was copied so far, repeats included.
  Pages done() const { return saver_.done(); }

 private:
  Result<void> CopyRun(const Region& region, PageRun run, TrackedMemory& memory);
  // Writes the proven ones of the first pages of the run, and notes them.
  Result<void> Keep(const Region& region, PageRun run, TrackedMemory& memory);
  bool IsKept(PageIndex page, PagemapEntry entry, const TrackedMemory& memory) const;

  const Target& target_;
  PlainSaver saver_;
  MappedMemory buffer_;
  std::array<PagemapEntry, kAtOnce.count> entries_ = {};
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_LATE_COPY_H_
