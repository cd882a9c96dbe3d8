#include "region/region_set.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace stillframe {

RegionSet::RegionSet(std::vector<Region> regions) : regions_(std::move(regions)) {
  for (Region& region : regions_) {
    region.first = PageIndex{pages_.count};
    pages_ += region.range.pages();
  }
  SortByPage();
}

RegionSet::RegionSet(std::vector<Region> regions, Pages pages)
    : regions_(std::move(regions)), pages_(pages) {
  SortByPage();
}

void RegionSet::SortByPage() {
  by_page_.resize(regions_.size());
  std::iota(by_page_.begin(), by_page_.end(), size_t{0});
  std::ranges::sort(by_page_, {}, [this](size_t i) { return regions_[i].first; });
}

const Region& RegionSet::RegionOf(PageIndex page) const {
  const auto after =
      std::ranges::upper_bound(by_page_, page, {}, [this](size_t i) { return regions_[i].first; });
  return regions_[*std::prev(after)];
}

TargetAddress RegionSet::AddressOf(PageIndex page) const {
  const Region& region = RegionOf(page);
  return region.range.begin + ToBytes(page - region.first);
}

}  // namespace stillframe
