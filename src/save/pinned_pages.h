// Pages that write protection does not guard: they are saved while the target stands still.
#ifndef STILLFRAME_SAVE_PINNED_PAGES_H_
#define STILLFRAME_SAVE_PINNED_PAGES_H_

#include <span>
#include <vector>

#include "stillframe/mapping.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "track/tracked_memory.h"

namespace stillframe {

// Finds the memory that io_uring may write to without a fault: see sys/uring_buffers.h.
//
// Thread rule: one thread.
class PinnedMemory {
 public:
  // Before the pause: whether there will be anything to look for. To ask each descriptor takes too
  // long for a pause when there are thousands.
  static Result<PinnedMemory> Look(const Target& target);
  // As a paused target stands. A ring that came after Look is found by its mapping; one without any
  // (IORING_SETUP_NO_MMAP) would be missed.
  Result<std::vector<AddressRange>> Find(const Target& target,
                                         std::span<const Mapping> mappings) const;

 private:
  bool holds_ring_ = false;
};

// Takes the pages of `memory` that existed at the instant out of the hands of scan and tracker, as
// if they were saved, and returns their addresses: the caller copies them before the target runs
// on. They stay armed; the first write to one by a thread is let through. To be called when the
// ledger knows which pages exist, and before anybody saves.
std::vector<AddressRange> SettlePinned(std::span<const AddressRange> memory,
                                       TrackedMemory* tracked);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PINNED_PAGES_H_
