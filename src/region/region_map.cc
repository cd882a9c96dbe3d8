#include "region/region_map.h"

#include <algorithm>
#include <utility>

namespace stillframe {
namespace {

// The part of a segment from `skip` pages on, at most `limit` pages.
Segment Cut(const Segment& segment, Pages skip, Pages limit) {
  return {segment.begin + ToBytes(skip),
          {segment.pages.first + skip, std::min(limit, segment.pages.count - skip)}};
}

// The part of a segment that lies in a range that it overlaps.
Segment CutTo(const Segment& segment, AddressRange range) {
  const AddressRange common = Intersect(segment.range(), range);
  return Cut(segment, ToPages(common.begin - segment.begin), common.pages());
}

}  // namespace

RegionLayout::RegionLayout(const RegionSet& regions)
    : by_address_(regions.regions().size()), count_(regions.regions().size()) {
  size_t i = 0;
  for (const Region& region : regions.regions()) {
    by_address_[i++] = {region.range.begin, region.run()};
  }
  BuildPageOrder();
}

RegionLayout::RegionLayout(const RegionLayout& before, TargetAddress from, TargetAddress to,
                           Bytes size)
    // A move cuts at most two segments in two at each end of both ranges.
    : by_address_(2 * before.count_ + 4) {
  const AddressRange source{from, from + size};
  const AddressRange destination{to, to + size};
  auto add = [&](const Segment& segment) {
    if (!segment.pages.empty()) by_address_[count_++] = segment;
  };
  for (const Segment& segment : before.segments()) {
    if (segment.range().Overlaps(source)) {
      Segment moved = CutTo(segment, source);
      moved.begin = to + (moved.begin - from);
      add(moved);
    }
    // What stays: the parts outside of both ranges.
    AddressRange rest = segment.range();
    for (AddressRange gone :
         {std::min(source, destination, [](auto&a, auto&b) { return a.begin < b.begin; }),
          std::max(source, destination, [](auto&a, auto&b) { return a.begin < b.begin; })}) {
      if (!rest.Overlaps(gone)) continue;
      if (rest.begin < gone.begin) add(CutTo(segment, {rest.begin, gone.begin}));
      rest.begin = std::min(rest.end, gone.end);
    }
    if (!rest.empty()) add(CutTo(segment, rest));
  }
  std::sort(by_address_.data(), by_address_.data() + count_,
            [](const Segment& a, const Segment& b) { return a.begin < b.begin; });
  BuildPageOrder();
}

void RegionLayout::BuildPageOrder() {
  by_page_ = MappedArray<Segment>(count_);
  std::copy_n(by_address_.data(), count_, by_page_.data());
  std::sort(by_page_.begin(), by_page_.end(),
            [](const Segment& a, const Segment& b) { return a.pages.first < b.pages.first; });
}

std::optional<Segment> RegionLayout::AtAddress(TargetAddress address) const {
  const auto all = segments();
  const auto after = std::upper_bound(
      all.begin(), all.end(), address,
      [](TargetAddress wanted, const Segment& segment) { return wanted < segment.begin; });
  if (after == all.begin()) return std::nullopt;
  const Segment& segment = *std::prev(after);
  if (!segment.range().Contains(address)) return std::nullopt;
  return Cut(segment, ToPages(address - segment.begin), segment.pages.count);
}

std::optional<Segment> RegionLayout::AtPage(PageIndex page) const {
  const auto after = std::upper_bound(
      by_page_.begin(), by_page_.end(), page,
      [](PageIndex wanted, const Segment& segment) { return wanted < segment.pages.first; });
  if (after == by_page_.begin()) return std::nullopt;
  const Segment& segment = *std::prev(after);
  if (segment.pages.end() <= page) return std::nullopt;
  return Cut(segment, page - segment.pages.first, segment.pages.count);
}

RegionMap::RegionMap(const RegionSet& regions) {
  auto first = MakeMapped<RegionLayout>(regions);
  MappedMemory memory = std::move(first.get_deleter().memory);
  layout_.Replace({first.release(), MappedDelete<const RegionLayout>{std::move(memory)}});
}

std::optional<Segment> RegionMap::AtAddress(TargetAddress address) const {
  const RcuReadLock lock;
  return layout_.Read(lock)->AtAddress(address);
}

std::optional<Segment> RegionMap::AtPage(PageIndex page) const {
  const RcuReadLock lock;
  return layout_.Read(lock)->AtPage(page);
}

std::optional<Segment> RegionMap::NextIn(const RegionLayout& layout, AddressRange range) {
  const auto all = layout.segments();
  const auto next = std::lower_bound(
      all.begin(), all.end(), range.begin,
      [](const Segment& segment, TargetAddress wanted) { return segment.range().end <= wanted; });
  if (next == all.end() || !next->range().Overlaps(range)) return std::nullopt;
  return CutTo(*next, range);
}

void RegionMap::Move(TargetAddress from, TargetAddress to, Bytes size) {
  MappedPtr<RegionLayout> next;
  {
    const RcuReadLock lock;
    next = MakeMapped<RegionLayout>(*layout_.Read(lock), from, to, size);
  }
  MappedMemory memory = std::move(next.get_deleter().memory);
  layout_.Replace({next.release(), MappedDelete<const RegionLayout>{std::move(memory)}});
  moves_.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace stillframe
