// What is told of several rounds.
#ifndef STILLFRAME_BENCH_SUPPORT_STATISTICS_H_
#define STILLFRAME_BENCH_SUPPORT_STATISTICS_H_

#include "evaluate/bench/statistics.h"

namespace stillframe::bench {

using evaluate::Highest;
using evaluate::Lowest;
using evaluate::Median;
using evaluate::Rate;
using evaluate::Seconds;

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_STATISTICS_H_
