// What kind of thing an output is.
#ifndef STILLFRAME_STORE_OUTPUT_PLACE_H_
#define STILLFRAME_STORE_OUTPUT_PLACE_H_

#include <string>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"

namespace stillframe {

struct OutputPlace {
  // A regular file, there already or to be: `path`, symbolic links followed. Else a stream: a FIFO,
  // a device, or the descriptor of anything.
  bool is_file = false;
  std::string path = {};  // empty for a descriptor
};

// Only looks. Errors: kUsage (a directory, a socket, a symbolic link to nothing), kOutput,
// kPermission. What is wrong with the directory of a file that isn't there is found by the one who
// opens it.
Result<OutputPlace> FindOutput(const Output& output);

}  // namespace stillframe

#endif  // STILLFRAME_STORE_OUTPUT_PLACE_H_
