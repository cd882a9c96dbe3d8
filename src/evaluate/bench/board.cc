#include "evaluate/bench/board.h"

#include <algorithm>
#include <limits>

namespace stillframe::evaluate {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

int64_t Nanoseconds(TimePoint time) { return time.time_since_epoch().count(); }

// One writer: no read-modify-write needed.
template <class T>
void Raise(std::atomic<T>& counter, T by) {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace

LatencyBoard::LatencyBoard(size_t lanes)
    : lanes_(lanes), header_memory_(Bytes{sizeof(Header)}), memory_(Bytes{lanes * sizeof(Lane)}) {
  header().epoch_ns.store(kNever);
  header().slot_ns.store(kShortestSlot.count());
}

void LatencyBoard::Start(TimePoint epoch, Duration expected) {
  header().epoch_ns.store(kNever);
  memory_.Clear();
  header().slot_ns.store(
      std::max(kShortestSlot, expected * 4 / static_cast<int64_t>(kSlots)).count());
  header().epoch_ns.store(Nanoseconds(epoch));
}

TimePoint LatencyBoard::epoch() const { return TimePoint(Duration(header().epoch_ns.load())); }

size_t LatencyBoard::SlotOf(TimePoint time) const {
  const int64_t since = Nanoseconds(time) - header().epoch_ns.load(std::memory_order_acquire);
  if (since < 0) return kSlots;
  const auto slot = static_cast<size_t>(since / header().slot_ns.load(std::memory_order_relaxed));
  return std::min(slot, kSlots - 1);
}

void LatencyBoard::Record(size_t i, TimePoint intended, Duration latency, uint32_t count) const {
  const size_t slot = SlotOf(intended);
  if (slot == kSlots) return;
  Raise(lane(i).rows[slot][LatencyCounts::BucketOf(latency)], count);
  std::atomic<int64_t>& longest = lane(i).longest_ns[slot];
  if (latency.count() > longest.load(std::memory_order_relaxed)) {
    longest.store(latency.count(), std::memory_order_relaxed);
  }
}

void LatencyBoard::Done(size_t i, TimePoint at, uint32_t count) const {
  const size_t slot = SlotOf(at);
  if (slot < kSlots) Raise(lane(i).done[slot], count);
}

LatencyBoard::Span LatencyBoard::SlotsOf(TimePoint from, TimePoint to) const {
  from = std::max(from, epoch());
  if (to <= from) return {0, 0};
  return {SlotOf(from), SlotOf(to - Duration(1)) + 1};
}

TimePoint LatencyBoard::EndOfSlot(TimePoint to) const {
  const Span span = SlotsOf(epoch(), to);
  return epoch() + slot() * static_cast<int64_t>(span.last);
}

LatencyCounts LatencyBoard::Collect(size_t i, TimePoint from, TimePoint to) const {
  LatencyCounts counts;
  const Span span = SlotsOf(from, to);
  for (size_t slot = span.first; slot < span.last; ++slot) {
    const int64_t longest = lane(i).longest_ns[slot].load(std::memory_order_relaxed);
    // An empty row is not even read: that would give it memory.
    if (longest == 0) continue;
    counts.NoteLongest(Duration(longest));
    for (size_t bucket = 0; bucket < LatencyCounts::kBuckets; ++bucket) {
      const uint32_t count = lane(i).rows[slot][bucket].load(std::memory_order_relaxed);
      if (count > 0) counts.AddToBucket(bucket, count);
    }
  }
  return counts;
}

uint64_t LatencyBoard::CountDone(size_t i, TimePoint from, TimePoint to) const {
  uint64_t done = 0;
  const Span span = SlotsOf(from, to);
  for (size_t slot = span.first; slot < span.last; ++slot) {
    done += lane(i).done[slot].load(std::memory_order_relaxed);
  }
  return done;
}

void LatencyBoard::ForEach(size_t i, TimePoint from, TimePoint to, const Visit& visit) const {
  const Span span = SlotsOf(from, to);
  for (size_t slot = span.first; slot < span.last; ++slot) {
    const Duration longest(lane(i).longest_ns[slot].load(std::memory_order_relaxed));
    if (longest.count() == 0) continue;
    const TimePoint begin = epoch() + this->slot() * static_cast<int64_t>(slot);
    for (size_t bucket = 0; bucket < LatencyCounts::kBuckets; ++bucket) {
      const uint32_t count = lane(i).rows[slot][bucket].load(std::memory_order_relaxed);
      if (count > 0) visit(begin, std::min(LatencyCounts::HighestIn(bucket), longest), count);
    }
  }
}

}  // namespace stillframe::evaluate
