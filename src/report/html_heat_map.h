// How long writes took over time: counts by time column and logarithmic latency row, in bounded
// memory however long it goes on.
#ifndef STILLFRAME_REPORT_HTML_HEAT_MAP_H_
#define STILLFRAME_REPORT_HTML_HEAT_MAP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "stillframe/units.h"

namespace stillframe {

// Row r holds latencies of kLowest * 10^(r / kRowsPerDecade) up to the next row's; the first also
// what is shorter, the last what is longer.
struct HtmlHeatMap {
  static constexpr Duration kLowest = std::chrono::nanoseconds(100);
  static constexpr int kRowsPerDecade = 8;
  static constexpr size_t kRows = 8 * kRowsPerDecade;  // up to 10 s
  static constexpr size_t kMaxColumns = 400;

  Duration begin{0};   // of the first column, on the panel's time axis
  Duration column{0};  // width; zero: nothing was recorded
  // counts[c][r]; at most kMaxColumns.
  std::vector<std::array<uint64_t, kRows>> counts;
  // The longest of each column, exact; as many as counts.
  std::vector<Duration> longest;

  bool empty() const { return counts.empty(); }
  static size_t RowOf(Duration latency);
};

// Fills a heat map. When there are too many columns, each two become one. Thread rule: one thread.
class HtmlHeatMapBuilder {
 public:
  // `begin`: where the time axis starts; what is earlier counts into the first column. `column`:
  // how wide columns are at first, above zero; who has times to 10 ms only gives 10 ms, or 9 of 10
  // columns stay empty.
  explicit HtmlHeatMapBuilder(Duration begin = Duration(0),
                              Duration column = std::chrono::milliseconds(1));

  // `at`: when the write was begun (or, of a wait, when the fault arrived).
  void Add(Duration at, Duration latency, uint64_t count = 1);
  const HtmlHeatMap& map() const { return map_; }

 private:
  void HalveColumns();

  HtmlHeatMap map_;
};

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_HEAT_MAP_H_
