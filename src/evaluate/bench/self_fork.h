// How programs save themselves without any help: fork, and let the child write its memory out.
#ifndef STILLFRAME_EVALUATE_BENCH_SELF_FORK_H_
#define STILLFRAME_EVALUATE_BENCH_SELF_FORK_H_

#include <atomic>
#include <cstddef>
#include <span>

#include "evaluate/bench/control.h"

namespace stillframe::evaluate {

// Waits for requests in `control` until control.stop, and serves each: the child writes `memory` to
// the path that the request names, as it is, 1 MiB at a time.
//
// Thread rule: one thread of the workload, its own.
void ServeSelfForks(BenchControl& control, std::span<const std::byte> memory);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_SELF_FORK_H_
