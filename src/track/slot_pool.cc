#include "track/slot_pool.h"

namespace stillframe {

SlotPool::SlotPool(size_t slots, Bytes slot_size)
    : slots_(slots),
      slot_size_(slot_size),
      memory_(slot_size * slots),
      released_(slots),
      spare_(slots),
      spare_count_(slots) {
  memory_.Populate();
  released_.Populate();
  for (size_t i = 0; i < slots; ++i) spare_[i] = static_cast<uint32_t>(slots - 1 - i);
}

bool SlotPool::Take(std::span<uint32_t> slots) {
  while (spare_count_ < slots.size()) {
    const auto released = released_.Pop();
    if (!released) return false;
    spare_[spare_count_++] = *released;
  }
  for (uint32_t& slot : slots) slot = spare_[--spare_count_];
  return true;
}

void SlotPool::PutBack(std::span<const uint32_t> slots) {
  for (uint32_t slot : slots) spare_[spare_count_++] = slot;
}

}  // namespace stillframe
