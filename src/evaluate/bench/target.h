// What the process does that the bench saves.
#ifndef STILLFRAME_EVALUATE_BENCH_TARGET_H_
#define STILLFRAME_EVALUATE_BENCH_TARGET_H_

#include "evaluate/bench/board.h"
#include "evaluate/bench/control.h"
#include "evaluate/bench/plan.h"

namespace stillframe::evaluate {

// Fills memory, posts control.ready, writes until control.stop, checks all. Returns 0; wrong memory
// ends the process (check_failure.h). `board` has a lane for each writer, and one more.
int RunBenchTarget(const BenchPlan& plan, const LatencyBoard& board, BenchControl& control);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_TARGET_H_
