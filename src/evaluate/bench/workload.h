// The process that the bench saves, seen from the bench.
#ifndef STILLFRAME_EVALUATE_BENCH_WORKLOAD_H_
#define STILLFRAME_EVALUATE_BENCH_WORKLOAD_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "evaluate/bench/board.h"
#include "evaluate/bench/child.h"
#include "evaluate/bench/control.h"
#include "evaluate/bench/plan.h"
#include "evaluate/bench/shared.h"
#include "evaluate/bench/stop.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// A forked child: nothing of it stands in the way of being saved. It fills its memory, then writes
// to it as planned and checks each page before it writes it. Beside the writers one thread does
// nothing but look at the clock, to see how long the process stood still.
//
// Thread rule: the thread that started it, which must outlive it.
class BenchWorkload {
 public:
  // Returns when its memory is filled and its threads run. `plan` outlives it. `cancelled` is asked
  // meanwhile. Errors: kInterrupted; kInternal when it ended by itself, for want of memory for
  // instance.
  static Result<std::unique_ptr<BenchWorkload>> Start(const BenchPlan& plan,
                                                      const std::function<bool()>& cancelled);

  pid_t pid() const { return child_->pid(); }
  const LatencyBoard& board() const { return board_; }
  LatencyBoard& board() { return board_; }
  // The lane of the thread that looks at the clock; those of the writers are 0 to this - 1.
  size_t clock_lane() const { return plan_.threads; }

  // What timing one write costs, in nanoseconds.
  double timing_cost_ns() const;
  // Over pages and contents of the first writes of all writers: the same for the same plan. None
  // while those are not done.
  std::optional<uint64_t> Fingerprint() const;

  // Holds up one writer for that long, and returns when that is over. Errors: as CheckRunning.
  Result<void> InjectStall(Duration stall);
  // Makes it fork, and its child write all memory to `path`; returns when that is done. Errors:
  // kOutput, kInterrupted; as CheckRunning.
  Result<void> SaveItself(const std::string& path, const BenchStop& stop);
  // kInternal when it ended: it found wrong memory, or was killed.
  Result<void> CheckRunning();
  // Ends it with a check of all its memory. Errors: as CheckRunning.
  Result<void> Finish();

 private:
  explicit BenchWorkload(const BenchPlan& plan);

  const BenchPlan& plan_;
  LatencyBoard board_;
  SharedObject<BenchControl> control_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_WORKLOAD_H_
