#include "evaluate/bench/statistics.h"

#include <algorithm>

namespace stillframe::evaluate {

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

double Lowest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

double Highest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

double Rate(Bytes bytes, Duration duration) {
  if (duration.count() <= 0) return 0;
  return static_cast<double>(bytes.count) / static_cast<double>(MiB(1).count) / Seconds(duration);
}

}  // namespace stillframe::evaluate
