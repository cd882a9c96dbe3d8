// A bounded queue from one thread to another. Wait-free, no allocation after construction.
#ifndef STILLFRAME_BASE_SPSC_RING_H_
#define STILLFRAME_BASE_SPSC_RING_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <optional>

#include "base/mapped_memory.h"

namespace stillframe {

// Thread rule: Push by one thread, Pop by one thread, size by any.
template <class T>
class SpscRing {
 public:
  // Holds at least `capacity` entries.
  explicit SpscRing(size_t capacity) : slots_(std::bit_ceil(capacity < 2 ? 2 : capacity)) {}

  // Before its first use: touches its memory, so that no Push waits for any.
  void Populate() { slots_.Populate(); }

  // False when full.
  bool Push(const T& value) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == slots_.size()) return false;
    slots_[tail & (slots_.size() - 1)] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  std::optional<T> Pop() {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    T value = slots_[head & (slots_.size() - 1)];
    head_.store(head + 1, std::memory_order_release);
    return value;
  }

  size_t size() const {
    const size_t head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }
  bool empty() const { return size() == 0; }

 private:
  MappedArray<T> slots_;
  alignas(64) std::atomic<size_t> head_ = 0;
  alignas(64) std::atomic<size_t> tail_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_BASE_SPSC_RING_H_
