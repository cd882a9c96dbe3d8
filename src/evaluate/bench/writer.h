// A thread of the bench's workload that writes pages and times each of its writes.
#ifndef STILLFRAME_EVALUATE_BENCH_WRITER_H_
#define STILLFRAME_EVALUATE_BENCH_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "evaluate/bench/board.h"
#include "evaluate/bench/control.h"
#include "evaluate/bench/plan.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

// A paced write counts from when it was intended, so that one that is held up makes those behind it
// late as well. A writer without a rate has no intended times: what it would have written while it
// was held up is filled in, as HdrHistogram does it, from the interval that it had before.
//
// Thread rule: Prepare and Run on one thread; CheckAll when that has ended.
class BenchWriter {
 public:
  struct Place {
    size_t number;      // of this writer: its lane on the board
    std::byte* memory;  // its own part, zero so far
    size_t pages;
  };

  // `board` and `control` outlive it.
  BenchWriter(const BenchPlan& plan, const Place& place, const LatencyBoard& board,
              BenchControl& control);

  // Fills all its pages.
  void Prepare();
  // Until control.stop.
  void Run();
  void CheckAll() const { pages_.CheckAll(); }

 private:
  void Step();
  void HoldUpIfAsked(TimePoint from);
  void Record(TimePoint from, TimePoint to);
  void FillMissing(TimePoint from, Duration latency);
  void AddToFingerprint(size_t page);

  const BenchPlan& plan_;
  const size_t number_;
  const LatencyBoard& board_;
  BenchControl& control_;
  OwnedPages pages_;
  std::unique_ptr<WriteSequence> sequence_;
  uint64_t steps_ = 0;
  TimePoint began_;
  Duration interval_{0};  // between writes without a rate; zero until it is known
};

// What timing one write costs, in picoseconds: the mean over many writes of nothing, which are
// recorded in lane 0.
int64_t MeasureTimingCost(const LatencyBoard& board);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_WRITER_H_
