// A last look for pages that were taken for holes.
#ifndef STILLFRAME_SAVE_PRESENCE_AUDIT_H_
#define STILLFRAME_SAVE_PRESENCE_AUDIT_H_

#include "stillframe/error.h"
#include "stillframe/target.h"
#include "track/tracked_memory.h"

namespace stillframe {

// In memory that was armed early, a page comes into being with a fault or after an event, and so is
// known. Should the kernel have a way around both (it has for guard regions, MADV_GUARD_INSTALL),
// then there is a page without its mark where the ledger has a hole that nobody opened: what it
// held at the instant can't be known. It is noted as present, and as nobody has a copy of it, it is
// lost.
//
// While the tracker still serves, after the scan; by the session. 3 ms per GiB of blocks that have
// holes. Returns how many there were.
Result<Pages> NoteUnseenPages(const Target& target, TrackedMemory* memory);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PRESENCE_AUDIT_H_
