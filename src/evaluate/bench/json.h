// The bench's result for a program.
#ifndef STILLFRAME_EVALUATE_BENCH_JSON_H_
#define STILLFRAME_EVALUATE_BENCH_JSON_H_

#include "evaluate/bench/suite.h"
#include "report/json.h"

namespace stillframe::evaluate {

// Everything that was measured: schema 1, described in docs/benchmarks.md.
Json BenchToJson(const BenchResult& result);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_JSON_H_
