// Where the threads of a workload note how long each write took, for another process to read:
// counts by time slot and latency bucket.
#ifndef STILLFRAME_EVALUATE_BENCH_BOARD_H_
#define STILLFRAME_EVALUATE_BENCH_BOARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "evaluate/bench/counts.h"
#include "evaluate/bench/shared.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// Thread rule: Record and Done of one lane by one thread, of any process that was forked from this
// one; everything else by one thread of the owner.
class LatencyBoard {
 public:
  static constexpr size_t kSlots = 8192;
  static constexpr Duration kShortestSlot = std::chrono::milliseconds(1);

  explicit LatencyBoard(size_t lanes);

  size_t lanes() const { return lanes_; }

  // Forgets everything; slot 0 begins at `epoch`, and what was intended before is not recorded. A
  // record that is under way meanwhile may still appear. Slots are as long as it takes for
  // `expected` to fill a quarter of them at most; what comes behind the last one goes into it.
  void Start(TimePoint epoch, Duration expected);
  Duration slot() const { return Duration(header().slot_ns.load(std::memory_order_relaxed)); }
  TimePoint epoch() const;

  // `count` writes that were intended at `intended` took `latency`. No allocation, no system call.
  void Record(size_t lane, TimePoint intended, Duration latency, uint32_t count = 1) const;
  // `count` writes were done at `at`.
  void Done(size_t lane, TimePoint at, uint32_t count = 1) const;

  // The slots that [from, to) touches, of one lane.
  LatencyCounts Collect(size_t lane, TimePoint from, TimePoint to) const;
  uint64_t CountDone(size_t lane, TimePoint from, TimePoint to) const;
  // The end of the last slot that [.., to) touches: how long Collect really looked.
  TimePoint EndOfSlot(TimePoint to) const;
  // Everything of one lane: the begin of the slot, how many were in one bucket, and its highest
  // value.
  using Visit = std::function<void(TimePoint slot, Duration highest, uint64_t count)>;
  void ForEach(size_t lane, TimePoint from, TimePoint to, const Visit& visit) const;

 private:
  using Row = std::array<std::atomic<uint32_t>, LatencyCounts::kBuckets>;
  struct Lane {
    std::array<Row, kSlots> rows;
    std::array<std::atomic<int64_t>, kSlots> longest_ns;
    std::array<std::atomic<uint32_t>, kSlots> done;
  };
  struct Header {
    std::atomic<int64_t> epoch_ns;
    std::atomic<int64_t> slot_ns;
  };
  struct Span {
    size_t first;
    size_t last;  // one behind
  };

  // Atomics over zeroed memory: constructing them would touch all of it.
  Header& header() const { return *reinterpret_cast<Header*>(header_memory_.data()); }
  Lane& lane(size_t i) const { return *reinterpret_cast<Lane*>(memory_.data() + i * sizeof(Lane)); }
  // kSlots for a time before the epoch.
  size_t SlotOf(TimePoint time) const;
  Span SlotsOf(TimePoint from, TimePoint to) const;

  size_t lanes_;
  SharedBytes header_memory_;
  SharedBytes memory_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_BOARD_H_
