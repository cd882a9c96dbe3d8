// Percentiles over the histograms of several threads.
#ifndef STILLFRAME_EVALUATE_LATENCY_REPORT_H_
#define STILLFRAME_EVALUATE_LATENCY_REPORT_H_

#include <cstdint>
#include <span>

#include "base/latency_histogram.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

struct LatencyReport {
  uint64_t count = 0;
  uint64_t over_5ms = 0;
  Duration p50{0};
  Duration p90{0};
  Duration p99{0};
  Duration p999{0};
  Duration max{0};
};

// As if all had been recorded in one histogram, to its accuracy.
LatencyReport Summarise(std::span<const LatencyHistogram* const> histograms);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_LATENCY_REPORT_H_
