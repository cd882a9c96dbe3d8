// The whole bench: all methods in turn, round by round, on one workload.
#ifndef STILLFRAME_EVALUATE_BENCH_SUITE_H_
#define STILLFRAME_EVALUATE_BENCH_SUITE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "evaluate/bench/machine.h"
#include "evaluate/bench/plan.h"
#include "evaluate/bench/round.h"
#include "evaluate/bench/stop.h"
#include "stillframe/error.h"

namespace stillframe::evaluate {

struct BenchResult {
  BenchPlan plan;
  MachineFacts machine;
  double busy = 0;            // share of the CPUs that others used before the start
  double timing_cost_ns = 0;  // of one write
  std::optional<uint64_t> fingerprint;
  // rounds[m][r]: run r of plan.methods[m].
  std::vector<std::vector<BenchRound>> rounds;
};

// What goes on, for a person who waits.
struct BenchProgress {
  size_t round = 0;  // from 1, as they are run
  size_t rounds = 0;
  BenchMethodPtr method;  // null: memory is being filled, or checked
  size_t run = 0;
};

// Takes turns: run 1 of all methods, run 2 of all, and so on; each run begins with another method,
// so that nothing always follows the same. Errors: kUsage for more memory than there is,
// kInterrupted, and of a workload that ended or found wrong memory. A method that fails does not
// end the bench: its rounds say why.
//
// Thread rule: on one thread from start to end; it forks, and is the tracer.
Result<BenchResult> RunBench(const BenchPlan& plan, BenchStop& stop,
                             const std::function<void(const BenchProgress&)>& progress);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_SUITE_H_
