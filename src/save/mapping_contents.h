// What the pages of one mapping hold, and where to read each of them without making the target's
// memory grow.
#ifndef STILLFRAME_SAVE_MAPPING_CONTENTS_H_
#define STILLFRAME_SAVE_MAPPING_CONTENTS_H_

#include <functional>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "save/save_plan.h"
#include "save/still_memory.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// A part of a mapping whose pages are all to be had in one way.
struct Stretch {
  enum class Source {
    kMemory,   // read through the mapping
    kFile,     // in the file behind it only: through the mapping it would have to be allocated
    kZero,     // holes
    kUnknown,  // can't be had
  };
  AddressRange range;
  Source source = Source::kZero;
};

// The planned part of one mapping. By kind, a page that the page map doesn't show
//
//   private anonymous          is zero
//   private, of a file         is the file's: it is read through the mapping, as any page is
//   shared                     is in the file or a hole of it, which SEEK_DATA tells
//   hugetlb, anonymous         is zero
//   hugetlb, of a file         is read from the file: through the mapping it would take a huge page
//                              out of the pool, which the target may need or not be allowed
//   the kernel's own ([vdso])  is read through the mapping
//
// Thread rule: one thread. The memory and the planned mapping outlive it.
class MappingContents {
 public:
  MappingContents(const StillMemory& memory, const PlannedMapping& planned);

  // Calls `take` for each stretch, by address, until all of planned.saved is named or it fails.
  // kTargetGone when the memory is gone.
  Result<void> ForEach(const std::function<Result<void>(const Stretch&)>& take) const;

  // Fills `to` with what lies at `at` in a stretch of kMemory or kFile. Pages that can't be read
  // (behind the end of a file) become zero and are added to `unreadable`. kTargetGone when the
  // memory is gone.
  Result<void> Read(const Stretch& stretch, TargetAddress at, std::span<std::byte> to,
                    std::vector<AddressRange>* unreadable) const;

 private:
  Result<void> ByPagemap(Stretch::Source holes,
                         const std::function<Result<void>(const Stretch&)>& take) const;
  Result<void> ByFile(const std::function<Result<void>(const Stretch&)>& take) const;

  const StillMemory& memory_;
  const PlannedMapping& planned_;
  UniqueFd file_;  // where the kind needs it, and it can be opened
};

// Adds a range behind the others, or to the last one where they touch.
void AppendRange(AddressRange range, std::vector<AddressRange>* ranges);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_MAPPING_CONTENTS_H_
