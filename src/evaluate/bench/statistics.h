// What is told of several rounds.
#ifndef STILLFRAME_EVALUATE_BENCH_STATISTICS_H_
#define STILLFRAME_EVALUATE_BENCH_STATISTICS_H_

#include <vector>

#include "stillframe/units.h"

namespace stillframe::evaluate {

// The middle one, or the mean of the two in the middle; 0 of none.
double Median(std::vector<double> values);
// 0 of none.
double Lowest(const std::vector<double>& values);
double Highest(const std::vector<double>& values);

double Seconds(Duration duration);
// MiB per second; 0 when nothing was measured.
double Rate(Bytes bytes, Duration duration);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_STATISTICS_H_
