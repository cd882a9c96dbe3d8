// The end of a save: tells the sink of every page that was not written, and why.
#ifndef STILLFRAME_SAVE_SAVE_ACCOUNT_H_
#define STILLFRAME_SAVE_SAVE_ACCOUNT_H_

#include <span>
#include <vector>

#include "save/paused_copy.h"
#include "save/save_plan.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "track/tracked_memory.h"

namespace stillframe {

// Declares holes zero, and pages that were present and not proven lost: "unmapped", "discarded",
// "ksm", or "unmarked" where nothing explains it. Returns the lost ranges, by address.
Result<std::vector<RangeReason>> AccountForRest(const TrackedMemory& tracked,
                                                const PausedCopies& copies, PageSink* sink);

// All mappings of the target, those that are left out with an empty saved part at their begin.
std::vector<SavedMapping> SavedMappings(std::span<const PlannedMapping> plan);
// Those that are left out, or not saved in the ordinary way, and parts that could not be read.
std::vector<RangeReason> SkippedRanges(std::span<const PlannedMapping> plan,
                                       std::span<const AddressRange> unreadable);
// True when more than a tenth of the resident memory was left out. A file's unwritten pages, which
// can be had from the file, don't count.
bool SkippedMuch(std::span<const PlannedMapping> plan);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SAVE_ACCOUNT_H_
