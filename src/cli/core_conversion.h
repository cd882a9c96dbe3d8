// `stillframe core --from IMAGE`: the core of a process that was saved before.
#ifndef STILLFRAME_CLI_CORE_CONVERSION_H_
#define STILLFRAME_CLI_CORE_CONVERSION_H_

#include "cli/save_arguments.h"
#include "stillframe/units.h"

namespace stillframe {

// What a core may take to keep account of its pages: half of the memory that is available now.
Bytes MemoryForCore();

// Reads arguments.from, writes the core, and tells of it as `core PID` does. SIGINT and SIGTERM
// give up. Returns the exit code; prints its own errors. On the main thread.
int ConvertToCore(const SaveArguments& arguments);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_CORE_CONVERSION_H_
