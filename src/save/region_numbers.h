// Gives page numbers to the regions of a target whose mappings have changed: a page that stayed
// keeps its number, so that nothing that is known of it has to be copied.
#ifndef STILLFRAME_SAVE_REGION_NUMBERS_H_
#define STILLFRAME_SAVE_REGION_NUMBERS_H_

#include <optional>
#include <vector>

#include "region/region_set.h"
#include "stillframe/units.h"

namespace stillframe {

// Whether what is known of the pages of one holds for the same addresses of the other, which came
// later. Shared memory and what KSM may merge by now, which takes marks, is never known.
bool IsOneKind(const Region& before, const Region& now);

// How the pages of a target are numbered after a change.
struct RegionNumbers {
  RegionSet regions;
  // Numbers of the new regions that nothing is known of, rising, and higher than all that were
  // given out before.
  std::vector<PageRun> fresh;
  // Those that no region has any more.
  std::vector<PageRun> retired;
};

// `now`: by address, one for each mapping, their `first` of no meaning. One that lies where regions
// of its kind lay comes out in parts: those that keep their numbers, and fresh ones between.
//
// None when there are not enough numbers below `room`.
//
// Takes as long as the two lists are, whatever they hold. Allocates.
std::optional<RegionNumbers> RenumberRegions(const std::vector<Region>& now,
                                             const RegionSet& before, Pages room);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_REGION_NUMBERS_H_
