// One bit for each page of a save.
#ifndef STILLFRAME_REGION_PAGE_BITMAP_H_
#define STILLFRAME_REGION_PAGE_BITMAP_H_

#include <atomic>
#include <cstdint>

#include "base/mapped_memory.h"
#include "stillframe/units.h"

namespace stillframe {

// A run of pages: [first, first + count).
struct PageRun {
  PageIndex first;
  Pages count;
  bool operator==(const PageRun&) const = default;
  PageIndex end() const { return first + count; }
  bool empty() const { return count.count == 0; }
};

// Atomic bits in mapped memory, all clear at first. A stretch that was never set costs no memory,
// so terabytes of reserved addresses are affordable. Thread rule: any thread; each call is atomic a
// word at a time, and orders as acquire/release.
class PageBitmap {
 public:
  explicit PageBitmap(Pages size);

  Pages size() const { return size_; }
  bool Test(PageIndex page) const;
  // True when this call set it.
  bool TestAndSet(PageIndex page);
  void Clear(PageIndex page);
  void SetRun(PageRun run);
  void ClearRun(PageRun run);
  // Sets the bits from run.first on that are clear, up to the first one that is set: an
  // all-or-nothing step for each word. Returns the run that this call set, from run.first on; empty
  // when the first one was set already.
  PageRun ClaimPrefix(PageRun run);
  // The first stretch of set bits within `within`, or an empty run at its end.
  PageRun NextSet(PageRun within) const { return Next(within, false); }
  PageRun NextClear(PageRun within) const { return Next(within, true); }
  Pages CountSet() const;

 private:
  // The first page from `from` on, below `end`, whose bit differs from `inverted`.
  PageIndex Find(PageIndex from, PageIndex end, bool inverted) const;
  PageRun Next(PageRun within, bool inverted) const;

  Pages size_;
  MappedArray<std::atomic<uint64_t>> words_;
};

// Calls `visit` for each stretch of set bits within `within`. It may change the bits of the stretch
// that it is given.
template <class Visit>
void ForEachSet(const PageBitmap& bits, PageRun within, Visit visit) {
  while (!within.empty()) {
    const PageRun run = bits.NextSet(within);
    if (run.empty()) return;
    visit(run);
    within = {run.end(), within.end() - run.end()};
  }
}

// The same for stretches of clear bits.
template <class Visit>
void ForEachClear(const PageBitmap& bits, PageRun within, Visit visit) {
  while (!within.empty()) {
    const PageRun run = bits.NextClear(within);
    if (run.empty()) return;
    visit(run);
    within = {run.end(), within.end() - run.end()};
  }
}

}  // namespace stillframe

#endif  // STILLFRAME_REGION_PAGE_BITMAP_H_
