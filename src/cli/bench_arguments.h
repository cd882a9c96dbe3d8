// What the user asked of `stillframe bench`, checked.
#ifndef STILLFRAME_CLI_BENCH_ARGUMENTS_H_
#define STILLFRAME_CLI_BENCH_ARGUMENTS_H_

#include <string>
#include <vector>

#include "evaluate/bench/plan.h"
#include "stillframe/error.h"

namespace stillframe {

struct BenchArguments {
  std::string help;  // not empty: print this and do nothing
  evaluate::BenchPlan plan;
  std::string json;    // file; empty: none
  std::string report;  // file; empty: none
};

// Errors: kUsage.
Result<BenchArguments> ParseBenchArguments(const std::vector<std::string>& arguments);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_BENCH_ARGUMENTS_H_
