// Copying pages of a running target, and proving that the copy is what stood there at the instant.
#ifndef STILLFRAME_TRACK_PAGE_COPY_H_
#define STILLFRAME_TRACK_PAGE_COPY_H_

#include <sys/uio.h>

#include <span>

#include "region/region_set.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "sys/pagemap.h"

namespace stillframe {

// Copies the pages from `from` on into `to` and then, after the copy, reads what the page map says
// of each into `entries`, one for each page. A page that was still armed after it was copied has
// not been written since the pause: its copy is right, unless other armed pages were moved to that
// address meanwhile (see MoveJournal).
//
// Shared memory is read through its file, and a page that the file has no data for any more is not
// proven either: a hole that was punched keeps its mark, and would read as zeros.
//
// `first` is the page of `region` that lies at `from` now. Returns how many pages were copied, from
// the first one on; entries behind that are valid too. Fault path: no allocation.
Pages CopyPages(const Target& target, const Region& region, PageIndex first, TargetAddress from,
                std::span<const iovec> to, std::span<PagemapEntry> entries);

// Whether page i of such a copy is proven.
inline bool IsProven(const PagemapEntry& entry) { return entry.populated() && entry.armed(); }

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_PAGE_COPY_H_
