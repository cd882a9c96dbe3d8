// In which order the scan walks the regions.
#ifndef STILLFRAME_SAVE_SCAN_ORDER_H_
#define STILLFRAME_SAVE_SCAN_ORDER_H_

#include <span>
#include <vector>

#include "region/region_set.h"

namespace stillframe {

// The regions' runs of pages, small ones first and, among those of about one size, by rising
// address: what a program gives back is mostly small, and the kernel hands out addresses from the
// top down, so the lowest are the youngest.
std::vector<PageRun> ScanOrder(std::span<const Region> regions);

// What to walk before all that: pages that are written all the time, since each that is saved
// before it is written is a fault less. Of a great many only the first, as runs of few pages cost
// more.
std::vector<PageRun> HotRuns(std::span<const Region> regions, const PageBitmap& hot);
inline constexpr size_t kMostHotRuns = 16384;

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SCAN_ORDER_H_
