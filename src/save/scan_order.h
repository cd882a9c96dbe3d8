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

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SCAN_ORDER_H_
