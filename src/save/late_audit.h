// A last look at pages that were copied before the instant.
#ifndef STILLFRAME_SAVE_LATE_AUDIT_H_
#define STILLFRAME_SAVE_LATE_AUDIT_H_

#include "stillframe/error.h"
#include "stillframe/target.h"
#include "track/tracked_memory.h"

namespace stillframe {

// A copy that was made before the instant is right if its page was armed from then on until the
// instant. Such a page is armed still, unless the tracker opened it for a write, or an event told
// that it went or moved: nobody arms anything after the instant. One that is not, and of which
// nothing is known, lost its mark by a way that tells nobody (MADV_FREE before it was armed and
// reclaimed since, KSM, MADV_GUARD_INSTALL, process_madvise), before the instant or after: its copy
// is not to be believed, and it is lost.
//
// While the tracker still serves; by the session. 3 ms per GiB at the most. Returns how many there
// were.
Result<Pages> DropDoubtfulCopies(const Target& target, TrackedMemory* memory);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_LATE_AUDIT_H_
