// What a trace says of the save as a whole.
#ifndef STILLFRAME_SAVE_TRACE_HEAD_H_
#define STILLFRAME_SAVE_TRACE_HEAD_H_

#include "stillframe/save.h"
#include "track/tracked_memory.h"

namespace stillframe {

// Fills options, pages and ranges of options.trace; without one, nothing. Allocates: not inside the
// pause.
void FillTraceHead(const SaveOptions& options, const TrackedMemory& memory);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_TRACE_HEAD_H_
