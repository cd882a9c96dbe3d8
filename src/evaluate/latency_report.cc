#include "evaluate/latency_report.h"

#include <algorithm>

namespace stillframe::evaluate {
namespace {

uint64_t CountAbove(std::span<const LatencyHistogram* const> histograms, Duration limit) {
  uint64_t above = 0;
  for (const LatencyHistogram* histogram : histograms) above += histogram->CountAbove(limit);
  return above;
}

}  // namespace

LatencyReport Summarise(std::span<const LatencyHistogram* const> histograms) {
  LatencyReport report;
  for (const LatencyHistogram* histogram : histograms) {
    report.count += histogram->count();
    report.max = std::max(report.max, histogram->max());
  }
  report.over_5ms = CountAbove(histograms, std::chrono::milliseconds(5));
  // The smallest limit that leaves no more than the rest above it.
  const auto quantile = [&](double part) {
    const auto rest = static_cast<uint64_t>((1 - part) * static_cast<double>(report.count));
    Duration low{0};
    Duration high = report.max;
    while (low < high) {
      const Duration middle = low + (high - low) / 2;
      if (CountAbove(histograms, middle) > rest) {
        low = middle + Duration(1);
      } else {
        high = middle;
      }
    }
    return low;
  };
  report.p50 = quantile(0.5);
  report.p90 = quantile(0.9);
  report.p99 = quantile(0.99);
  report.p999 = quantile(0.999);
  return report;
}

}  // namespace stillframe::evaluate
