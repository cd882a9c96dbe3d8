// What a summary tells of how long writes waited.
#ifndef STILLFRAME_SAVE_WAIT_SUMMARY_H_
#define STILLFRAME_SAVE_WAIT_SUMMARY_H_

#include <chrono>
#include <cstdint>

#include "base/latency_histogram.h"
#include "stillframe/save.h"
#include "stillframe/units.h"

namespace stillframe {

inline uint64_t Microseconds(Duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

inline WaitSummary SummaryOf(const LatencyHistogram& waits) {
  return {.count = waits.count(),
          .p50 = Microseconds(waits.Quantile(0.5)),
          .p99 = Microseconds(waits.Quantile(0.99)),
          .p999 = Microseconds(waits.Quantile(0.999)),
          .max = Microseconds(waits.max())};
}

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_WAIT_SUMMARY_H_
