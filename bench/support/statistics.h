// What is told of several rounds.
#ifndef STILLFRAME_BENCH_SUPPORT_STATISTICS_H_
#define STILLFRAME_BENCH_SUPPORT_STATISTICS_H_

#include <string>
#include <vector>

#include "stillframe/units.h"

namespace stillframe::bench {

// The middle one, or the mean of the two in the middle; 0 of none.
double Median(std::vector<double> values);
double Lowest(const std::vector<double>& values);
double Highest(const std::vector<double>& values);

double Seconds(Duration duration);
// MiB per second; 0 when nothing was measured.
double Rate(Bytes bytes, Duration duration);

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_STATISTICS_H_
