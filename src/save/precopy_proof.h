// For which pages a copy that was made while the target ran holds.
#ifndef STILLFRAME_SAVE_PRECOPY_PROOF_H_
#define STILLFRAME_SAVE_PRECOPY_PROOF_H_

#include <functional>
#include <span>

#include "save/copied_pages.h"
#include "save/save_plan.h"
#include "stillframe/error.h"
#include "stillframe/units.h"
#include "sys/page_watch.h"

namespace stillframe {

// Whether pages of the mapping may stand in a file, where a write to that file changes them without
// a fault here.
inline bool MayShowFile(const Mapping& mapping) { return !IsPrivateAnonymous(mapping); }

// A page was armed before each copy of it. The copy holds if the page
//
//   is watched    a mapping that is new or was moved to its place is not
//   unwritten     as are pages that came again after they were discarded
//   populated     or it is a hole by now
//   its own       of a mapping of a file: a page that stands in the file only may change unseen
//   was copied    since it was armed last: what could not be read was not
//
// A swapped page of a file mapping may be no more than the mark of a page that was discarded, so it
// counts as written.
//
// Thread rule: one thread.
class PrecopyProof {
 public:
  // Both outlive it.
  PrecopyProof(const PageWatch& watch, const CopiedPages& copied)
      : watch_(watch), copied_(copied) {}

  struct Doubts {
    std::function<void(AddressRange)> copy;  // exist, and no copy of them holds
    std::function<void(AddressRange)> zero;  // holes
    // Pages that are part of `copy` because they are not watched. May be empty.
    std::function<void(AddressRange)> unwatched = {};
  };
  // Tells of all pages of planned.saved for which no copy holds, by address; runs may touch.
  // `step`: see PageWatch::FindChanged.
  Result<void> FindDoubts(const PlannedMapping& planned, Bytes step, const Doubts& doubts) const {
    STILLFRAME_TRY(FindDoubts({&planned, 1}, step, doubts));
    return watch_.CheckThere();
  }
  // The same of mappings that make up one stretch, see EndOfStretch. Of an address space that is
  // gone it may tell anything: ask PageWatch::CheckThere afterwards.
  Result<void> FindDoubts(std::span<const PlannedMapping> stretch, Bytes step,
                          const Doubts& doubts) const;

 private:
  // Those of `range` that were not copied.
  void Unchanged(AddressRange range, const Doubts& doubts) const;

  const PageWatch& watch_;
  const CopiedPages& copied_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PRECOPY_PROOF_H_
