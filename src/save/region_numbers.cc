#include "save/region_numbers.h"

#include <algorithm>
#include <span>
#include <utility>

namespace stillframe {
namespace {

// Both lists rise by address, and so does what is added to `parts`.
class Renumbering {
 public:
  explicit Renumbering(const RegionSet& before) : before_(before), unused_{before.pages().count} {}

  void Add(const Region& mapping) {
    const std::span<const Region> old = before_.regions();
    while (next_ < old.size() && old[next_].range.end <= mapping.range.begin) ++next_;
    TargetAddress at = mapping.range.begin;
    for (size_t i = next_; i < old.size() && old[i].range.begin < mapping.range.end; ++i) {
      if (!IsOneKind(old[i], mapping)) continue;
      const AddressRange both = Intersect(old[i].range, mapping.range);
      AddFresh(mapping, {at, both.begin});
      const PageRun pages = old[i].PagesIn(both);
      AddPart(mapping, both, pages.first);
      kept_.push_back(pages);
      at = both.end;
    }
    AddFresh(mapping, {at, mapping.range.end});
  }

  Pages pages() const { return Pages{unused_.value}; }

  RegionNumbers Take() {
    RegionNumbers numbers{.regions = RegionSet(std::move(parts_), pages()),
                          .fresh = std::move(fresh_),
                          .retired = Retired()};
    return numbers;
  }

 private:
  void AddPart(const Region& mapping, AddressRange range, PageIndex first) {
    Region part = mapping;
    part.range = range;
    part.first = first;
    part.mapping = mapping.range;
    part.file_offset += (range.begin - mapping.range.begin).count;
    parts_.push_back(part);
  }

  void AddFresh(const Region& mapping, AddressRange range) {
    if (range.empty()) return;
    AddPart(mapping, range, unused_);
    fresh_.push_back({unused_, range.pages()});
    unused_ = unused_ + range.pages();
  }

  std::vector<PageRun> Retired() {
    std::ranges::sort(kept_, {}, &PageRun::first);
    std::vector<Region> old(before_.regions().begin(), before_.regions().end());
    std::ranges::sort(old, {}, &Region::first);
    std::vector<PageRun> retired;
    auto kept = kept_.begin();
    for (const Region& region : old) {
      PageIndex at = region.first;
      for (; kept != kept_.end() && kept->first < region.run().end(); ++kept) {
        if (at < kept->first) retired.push_back({at, kept->first - at});
        at = kept->end();
      }
      if (at < region.run().end()) retired.push_back({at, region.run().end() - at});
    }
    return retired;
  }

  const RegionSet& before_;
  size_t next_ = 0;  // the first region before that may still overlap
  PageIndex unused_;
  std::vector<Region> parts_;
  std::vector<PageRun> kept_;
  std::vector<PageRun> fresh_;
};

}  // namespace

bool IsOneKind(const Region& before, const Region& now) {
  return before.page_size == now.page_size && !before.shared() && !now.shared() &&
         (before.mergeable || !now.mergeable);
}

std::optional<RegionNumbers> RenumberRegions(const std::vector<Region>& now,
                                             const RegionSet& before, Pages room) {
  Renumbering renumbering(before);
  for (const Region& mapping : now) renumbering.Add(mapping);
  if (renumbering.pages() > room) return std::nullopt;
  return renumbering.Take();
}

}  // namespace stillframe
