// The bench's result for a person.
#ifndef STILLFRAME_EVALUATE_BENCH_TEXT_H_
#define STILLFRAME_EVALUATE_BENCH_TEXT_H_

#include <string>

#include "evaluate/bench/suite.h"

namespace stillframe::evaluate {

// "uniform, 2.00 GiB, 2 writers, 2000 writes/s, to null".
std::string JobText(const BenchPlan& plan);
// "2 x AMD EPYC, 8.00 GiB, Linux 6.18".
std::string MachineText(const MachineFacts& machine);
// What stands around the table: on what, beside what, how exact.
std::string TimingText(const BenchResult& result);

// Some lines of heading, then a row for each method with medians, and under it lowest and highest
// where they matter.
std::string BenchTable(const BenchResult& result);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_TEXT_H_
