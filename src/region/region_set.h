// The write-protected memory of one save: its regions, and the page numbers that count them
// through.
#ifndef STILLFRAME_REGION_REGION_SET_H_
#define STILLFRAME_REGION_REGION_SET_H_

#include <cstddef>
#include <span>
#include <vector>

#include "region/page_bitmap.h"
#include "stillframe/units.h"

namespace stillframe {

// A range of addresses at the instant, with one page size.
struct Region {
  AddressRange range;
  PageIndex first;              // the number of its first page
  Bytes page_size = kPageSize;  // what it is opened by: 4 KiB, or a huge page of hugetlb
  // Shared memory: the descriptor of its file, not owned, and where in it the region begins. A page
  // of it may exist though the page map shows none, and may go though the page map shows it still.
  // -1 for private memory.
  int file = -1;
  uint64_t file_offset = 0;
  bool mergeable = false;  // KSM may merge its pages, which takes their marks
  // All of the mapping that it is, or is a part of: what has to be registered as a whole. Empty
  // where nobody asked for it.
  AddressRange mapping = {};

  bool operator==(const Region&) const = default;
  bool shared() const { return file >= 0; }
  PageRun run() const { return {first, range.pages()}; }
  // The pages of this region that lie in `addresses`, and where pages of it lay at the instant.
  PageRun PagesIn(AddressRange addresses) const {
    const AddressRange part = Intersect(addresses, range);
    return {first + ToPages(part.begin - range.begin), part.pages()};
  }
  AddressRange AddressesOf(PageRun pages) const {
    const TargetAddress begin = range.begin + ToBytes(pages.first - first);
    return {begin, begin + ToBytes(pages.count)};
  }
  Pages unit() const { return ToPages(page_size); }
};

// Immutable once built. Thread rule: any thread. No allocation in the lookups.
class RegionSet {
 public:
  RegionSet() = default;
  // `regions` by address, not overlapping; their `first` is set here.
  explicit RegionSet(std::vector<Region> regions);
  // The same with the `first` that they have: no page number twice, all below `pages`. Numbers that
  // no region has may lie between.
  RegionSet(std::vector<Region> regions, Pages pages);

  // By address.
  std::span<const Region> regions() const { return regions_; }
  // Page numbers are below this.
  Pages pages() const { return pages_; }
  // The region of a page number that one has.
  const Region& RegionOf(PageIndex page) const;
  // Where the page stood at the instant: its address in the image.
  TargetAddress AddressOf(PageIndex page) const;

 private:
  void SortByPage();

  std::vector<Region> regions_;
  std::vector<size_t> by_page_;  // their places in regions_, by page number
  Pages pages_;
};

}  // namespace stillframe

#endif  // STILLFRAME_REGION_REGION_SET_H_
