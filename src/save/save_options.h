// The ranges of a save's options, and whether this system has what they ask for.
#ifndef STILLFRAME_SAVE_SAVE_OPTIONS_H_
#define STILLFRAME_SAVE_SAVE_OPTIONS_H_

#include "stillframe/page_sink.h"
#include "stillframe/save.h"

namespace stillframe {

// kUsage, naming the option, for one outside its range.
Result<void> CheckSaveOptions(const SaveOptions& options);
// Whether the stage fits into memory (kLimit), and a directory to spill to is there (errors as
// FindSpillDirectory). For before anything is touched.
Result<void> CheckRoomFor(const SaveOptions& options);
// kUsage where `sink` needs its pages in order and the way to save can't keep to one.
Result<void> CheckOrder(const SaveOptions& options, const PageSink& sink);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SAVE_OPTIONS_H_
