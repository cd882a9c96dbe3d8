#include "save/scan_order.h"

#include <algorithm>
#include <bit>

namespace stillframe {

std::vector<PageRun> ScanOrder(std::span<const Region> regions) {
  std::vector<PageRun> order;
  order.reserve(regions.size());
  for (const Region& region : regions) order.push_back(region.run());
  // Regions come by address, which a stable sort keeps within one power of two of their size.
  std::stable_sort(order.begin(), order.end(), [](const PageRun& a, const PageRun& b) {
    return std::bit_width(a.count.count) < std::bit_width(b.count.count);
  });
  return order;
}

std::vector<PageRun> HotRuns(std::span<const Region> regions, const PageBitmap& hot) {
  std::vector<PageRun> runs;
  for (const Region& region : regions) {
    ForEachSet(hot, region.run(), [&runs](PageRun run) {
      if (runs.size() < kMostHotRuns) runs.push_back(run);
    });
  }
  return runs;
}

}  // namespace stillframe
