// A fixed number of equal buffers, taken by one thread and given back by another.
#ifndef STILLFRAME_TRACK_SLOT_POOL_H_
#define STILLFRAME_TRACK_SLOT_POOL_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/mapped_memory.h"
#include "base/spsc_ring.h"
#include "stillframe/units.h"

namespace stillframe {

// Thread rule: Take and PutBack by the taker, Release by the releaser. Nothing allocates or waits.
class SlotPool {
 public:
  // Touches all its memory, so that no later copy waits for it.
  SlotPool(size_t slots, Bytes slot_size);

  Bytes slot_size() const { return slot_size_; }
  size_t slots() const { return slots_; }

  // How many could be taken now.
  size_t Available() const { return spare_count_ + released_.size(); }
  // Fills `slots` and is true, or takes none.
  bool Take(std::span<uint32_t> slots);
  // Gives back what was taken and not passed on.
  void PutBack(std::span<const uint32_t> slots);
  // Gives back what was passed on.
  void Release(uint32_t slot) { released_.Push(slot); }

  std::span<std::byte> Memory(uint32_t slot) const {
    return {memory_.data() + slot * slot_size_.count, slot_size_.count};
  }

 private:
  const size_t slots_;
  const Bytes slot_size_;
  MappedMemory memory_;
  SpscRing<uint32_t> released_;
  MappedArray<uint32_t> spare_;  // the taker's
  size_t spare_count_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_SLOT_POOL_H_
