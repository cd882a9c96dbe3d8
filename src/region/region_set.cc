#include "region/region_set.h"

#include <algorithm>
#include <utility>

namespace stillframe {

RegionSet::RegionSet(std::vector<Region> regions) : regions_(std::move(regions)) {
  for (Region& region : regions_) {
    region.first = PageIndex{pages_.count};
    pages_ += region.range.pages();
  }
}

const Region& RegionSet::RegionOf(PageIndex page) const {
  const auto after = std::upper_bound(
      regions_.begin(), regions_.end(), page,
      [](PageIndex wanted, const Region& region) { return wanted < region.first; });
  return *std::prev(after);
}

TargetAddress RegionSet::AddressOf(PageIndex page) const {
  const Region& region = RegionOf(page);
  return region.range.begin + ToBytes(page - region.first);
}

}  // namespace stillframe
