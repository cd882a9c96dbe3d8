// What is known of memory that is write-protected before the pause, while the target goes on
// writing it.
#ifndef STILLFRAME_TRACK_ARMING_LOG_H_
#define STILLFRAME_TRACK_ARMING_LOG_H_

#include <atomic>
#include <vector>

#include "region/page_bitmap.h"
#include "stillframe/units.h"

namespace stillframe {

// Once armed, a page is only written with a fault, so that `opened` has it; and it only goes with
// an event, so that `stale` has it. Whatever is in neither is at the instant as it was when it was
// armed, and need not be looked at inside the pause.
//
// Thread rule: the tracker sets bits of `opened`, `stale` and `foreign`, and clears those of
// `huge`; the rest is the session's.
struct ArmingLog {
  explicit ArmingLog(Pages size)
      : opened(size),
        stale(size),
        foreign(size),
        closed(size),
        huge(size),
        seen(size),
        hot(size),
        copied(size) {}

  PageBitmap opened;  // written since it was armed: to be armed again
  // Discarded, unmapped, or moved to or from here. The event of a discard comes before its pages
  // go: so what is here now is only certain once the target stands still.
  PageBitmap stale;
  std::atomic<bool> any_stale = false;  // set after the bits
  // Was unmapped, moved away, or could not be armed: what is there by now, or comes there, is not
  // registered, and nobody tells of it. So it is asked for while the target stands still.
  PageBitmap foreign;
  std::atomic<bool> any_foreign = false;  // set after the bits
  // A page can't come into being here without a fault, as far as we know: save/presence_audit.h
  // asks in the end.
  PageBitmap closed;
  // What is not closed, as stretches by their number, near ones together: where `listed`, since to
  // look for them in the bits of many gigabytes takes long for a pause.
  std::vector<PageRun> unknown;
  bool listed = false;
  PageBitmap huge;  // was part of a transparent huge page: opened whole, it stays one
  PageBitmap seen;  // was armed again once
  PageBitmap hot;   // and then once more: written all the time, so better saved early
  // Its copy was made while it was armed, before the instant, and is in the ledger as saved. What
  // is opened or stale since doesn't count any more: whoever takes a page off those lists takes it
  // off here and forgets it in the ledger. See save/late_copy.h.
  PageBitmap copied;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_ARMING_LOG_H_
