// What became of each page of a save. One atomic step in here decides who saves a page.
#ifndef STILLFRAME_REGION_PAGE_LEDGER_H_
#define STILLFRAME_REGION_PAGE_LEDGER_H_

#include "region/page_bitmap.h"
#include "stillframe/units.h"

namespace stillframe {

// A page goes through these, each at most once:
//
//   present ──claim──▶ claimed ──copied, and proven unchanged──▶ proven ──opened──▶ settled
//                          └────────the copy can't be had──────────────────────────▶ settled
//
// What was present and is not proven in the end is lost; unmapped and discarded say why. A page
// that was not present at the instant was a hole, and stays out of all this.
struct PageLedger {
  explicit PageLedger(Pages size)
      : present(size),
        claimed(size),
        proven(size),
        settled(size),
        unmapped(size),
        discarded(size),
        opened_hole(size),
        opened_saved(size) {}

  // Saved before the instant, which holds as long as nobody forgets it.
  void NoteSaved(PageRun run) {
    claimed.SetRun(run);
    proven.SetRun(run);
    settled.SetRun(run);
  }
  // It may not be at the instant what was saved. Until then only.
  void Forget(PageRun run) {
    claimed.ClearRun(run);
    proven.ClearRun(run);
    settled.ClearRun(run);
  }

  PageBitmap present;       // populated and armed at the instant; constant after the pause
  PageBitmap claimed;       // somebody saves it, or saved it
  PageBitmap proven;        // its copy is certain
  PageBitmap settled;       // its claimer is done with it: nobody waits for it any more
  PageBitmap unmapped;      // gone by munmap or a mapping over it
  PageBitmap discarded;     // given back by madvise(2)
  PageBitmap opened_hole;   // not present at the instant, and opened for a write since
  PageBitmap opened_saved;  // saved before the instant, and opened for a write since
};

}  // namespace stillframe

#endif  // STILLFRAME_REGION_PAGE_LEDGER_H_
