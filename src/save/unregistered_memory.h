// How much of what is to be armed nobody has registered yet.
#ifndef STILLFRAME_SAVE_UNREGISTERED_MEMORY_H_
#define STILLFRAME_SAVE_UNREGISTERED_MEMORY_H_

#include <span>

#include "save/save_plan.h"
#include "stillframe/error.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "track/tracked_memory.h"

namespace stillframe {

// The pages of mappings that came since `memory` was made, or that took the place of others: they
// are armed inside the pause, unless they are registered before. `plan`: of the mappings as they
// are now, by address. Counts no further than `enough`.
//
// While the target runs, so it is a guess. Thread rule: the session's.
Result<Bytes> UnregisteredMemory(const Target& target, std::span<const PlannedMapping> plan,
                                 const TrackedMemory& memory, Bytes enough);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_UNREGISTERED_MEMORY_H_
