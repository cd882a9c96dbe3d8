// A child whose mappings are laid out for a measurement of the page map. It sleeps.
#ifndef STILLFRAME_BENCH_PAGE_MAP_CHILD_H_
#define STILLFRAME_BENCH_PAGE_MAP_CHILD_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "stillframe/units.h"
#include "support/child_process.h"

namespace stillframe::bench {

// Private anonymous mappings of pages of 4 KiB.
struct MappingLayout {
  uint64_t mappings = 1;
  Bytes each;
  Bytes gap = {};            // between two; where there is none their rights differ
  bool filled_gaps = false;  // with other memory
  uint64_t step = 1;         // of a mapping's pages every so many-th is there
};

// Thread rule: one thread.
class PageMapChild {
 public:
  // Raises vm.max_map_count where that is needed, and puts it back once all is mapped. Ends the
  // program when it can't have the mappings.
  explicit PageMapChild(const MappingLayout& layout);

  int pagemap() const { return pagemap_.get(); }
  // By address.
  const std::vector<AddressRange>& mappings() const { return mappings_; }
  // That are there.
  Pages pages() const { return pages_; }

 private:
  std::vector<AddressRange> mappings_;
  Pages pages_;
  std::unique_ptr<ChildProcess> child_;
  UniqueFd pagemap_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_PAGE_MAP_CHILD_H_
