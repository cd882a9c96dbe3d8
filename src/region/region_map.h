// From an address of the target to a page of the save and back, as mremap moves pages about.
#ifndef STILLFRAME_REGION_REGION_MAP_H_
#define STILLFRAME_REGION_REGION_MAP_H_

#include <atomic>
#include <optional>
#include <span>

#include "base/mapped_memory.h"
#include "region/rcu.h"
#include "region/region_set.h"
#include "stillframe/units.h"

namespace stillframe {

// Pages that lie one behind the other both in the target's memory now and in the save.
struct Segment {
  TargetAddress begin;
  PageRun pages;
  AddressRange range() const { return {begin, begin + ToBytes(pages.count)}; }
};

// Where every page lives at one moment. Immutable, in mapped memory.
class RegionLayout {
 public:
  explicit RegionLayout(const RegionSet& regions);
  // This layout after mremap: what lay in [from, from + size) lies at `to`, and what lay there
  // before is nowhere.
  RegionLayout(const RegionLayout& before, TargetAddress from, TargetAddress to, Bytes size);

  // The part of a segment that begins with the page at `address`; none where no page of the save
  // lives.
  std::optional<Segment> AtAddress(TargetAddress address) const;
  // The part of a segment that begins with `page`; none when a mapping took its place.
  std::optional<Segment> AtPage(PageIndex page) const;
  std::span<const Segment> segments() const { return {by_address_.data(), count_}; }

 private:
  void BuildPageOrder();

  MappedArray<Segment> by_address_;
  MappedArray<Segment> by_page_;
  size_t count_ = 0;
};

// Thread rule: Move by the tracker's thread alone, lookups by any RcuThread.
class RegionMap {
 public:
  explicit RegionMap(const RegionSet& regions);

  std::optional<Segment> AtAddress(TargetAddress address) const;
  std::optional<Segment> AtPage(PageIndex page) const;
  // Calls `visit` for each segment that overlaps the range, cut to it. No allocation.
  template <class Visit>
  void ForEachIn(AddressRange range, Visit visit) const {
    const RcuReadLock lock;
    const RegionLayout* layout = layout_.Read(lock);
    for (TargetAddress at = range.begin; at < range.end;) {
      const std::optional<Segment> segment = NextIn(*layout, {at, range.end});
      if (!segment) return;
      visit(*segment);
      at = segment->range().end;
    }
  }
  void Move(TargetAddress from, TargetAddress to, Bytes size);
  // How often something moved. A reader that sees the same count before and after saw one layout.
  uint64_t moves() const { return moves_.load(std::memory_order_acquire); }

 private:
  // The first segment with anything in `range`, cut to it.
  static std::optional<Segment> NextIn(const RegionLayout& layout, AddressRange range);

  RcuOwned<RegionLayout, MappedDelete<const RegionLayout>> layout_;
  std::atomic<uint64_t> moves_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_REGION_REGION_MAP_H_
