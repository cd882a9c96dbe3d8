// Pages that write protection does not guard: they are saved while the target stands still.
#ifndef STILLFRAME_SAVE_PINNED_PAGES_H_
#define STILLFRAME_SAVE_PINNED_PAGES_H_

#include <span>
#include <vector>

#include "stillframe/mapping.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "sys/uring_buffers.h"
#include "track/tracked_memory.h"

namespace stillframe {

// Finds the memory that io_uring may write to without a fault: see sys/uring_buffers.h.
//
// Thread rule: one thread.
class PinnedMemory {
 public:
  // Before the pause: which rings there are, since to ask thousands of descriptors takes too long
  // for a pause, and how much they may write to.
  Result<void> Look(const Target& target, std::span<const Mapping> mappings);
  Bytes size() const { return size_; }
  // What Look saw registered.
  std::span<const AddressRange> buffers() const { return buffers_; }
  bool empty() const { return rings_.empty(); }

  // As a paused target stands. Rings that came after Look are found by their mappings.
  // kUnsupported when there is a mapping of a ring and no descriptor: what is registered with it
  // can't be known. A ring that came after Look and has no mapping (IORING_SETUP_NO_MMAP) is
  // missed.
  Result<std::vector<AddressRange>> Find(const Target& target, std::span<const Mapping> mappings);

 private:
  std::vector<UringDescriptor> rings_;
  size_t ring_mappings_ = 0;
  std::vector<AddressRange> buffers_;
  Bytes size_;
};

// Takes the pages of `memory` that existed at the instant out of the hands of scan and tracker, as
// if they were saved, and returns their addresses: the caller copies them before the target runs
// on. They stay armed; the first write to one by a thread is let through. To be called when the
// ledger knows which pages exist, and before anybody saves.
std::vector<AddressRange> SettlePinned(std::span<const AddressRange> memory,
                                       TrackedMemory* tracked);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PINNED_PAGES_H_
