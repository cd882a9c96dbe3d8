// The ranges of a save's options.
#ifndef STILLFRAME_SAVE_SAVE_OPTIONS_H_
#define STILLFRAME_SAVE_SAVE_OPTIONS_H_

#include "stillframe/save.h"

namespace stillframe {

// kUsage, naming the option, for one outside its range.
Result<void> CheckSaveOptions(const SaveOptions& options);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SAVE_OPTIONS_H_
