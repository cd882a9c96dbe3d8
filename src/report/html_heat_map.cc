#include "report/html_heat_map.h"

#include <algorithm>
#include <cmath>

namespace stillframe {

size_t HtmlHeatMap::RowOf(Duration latency) {
  if (latency <= kLowest) return 0;
  const double decades =
      std::log10(static_cast<double>(latency.count()) / static_cast<double>(kLowest.count()));
  return std::min(kRows - 1, static_cast<size_t>(decades * kRowsPerDecade));
}

HtmlHeatMapBuilder::HtmlHeatMapBuilder(Duration begin, Duration column) {
  map_.begin = begin;
  map_.column = std::max(Duration(1), column);
}

void HtmlHeatMapBuilder::Add(Duration at, Duration latency, uint64_t count) {
  if (count == 0) return;
  const Duration since = std::max(Duration(0), at - map_.begin);
  while (since / map_.column >= static_cast<int64_t>(HtmlHeatMap::kMaxColumns)) HalveColumns();
  const auto column = static_cast<size_t>(since / map_.column);
  if (column >= map_.counts.size()) {
    map_.counts.resize(column + 1);
    map_.longest.resize(column + 1, Duration(0));
  }
  map_.counts[column][HtmlHeatMap::RowOf(latency)] += count;
  map_.longest[column] = std::max(map_.longest[column], latency);
}

void HtmlHeatMapBuilder::HalveColumns() {
  const size_t columns = (map_.counts.size() + 1) / 2;
  for (size_t i = 0; i < map_.counts.size(); ++i) {
    if (i % 2 == 0) {
      map_.counts[i / 2] = map_.counts[i];
      map_.longest[i / 2] = map_.longest[i];
      continue;
    }
    for (size_t row = 0; row < HtmlHeatMap::kRows; ++row) {
      map_.counts[i / 2][row] += map_.counts[i][row];
    }
    map_.longest[i / 2] = std::max(map_.longest[i / 2], map_.longest[i]);
  }
  map_.counts.resize(columns);
  map_.longest.resize(columns);
  map_.column *= 2;
}

}  // namespace stillframe
