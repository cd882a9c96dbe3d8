// The text of /proc/PID/maps and /proc/PID/smaps.
#ifndef STILLFRAME_SYS_MAPS_PARSER_H_
#define STILLFRAME_SYS_MAPS_PARSER_H_

#include <string_view>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/mapping.h"

namespace stillframe {

// Takes either file, and tells them apart: where a line of smaps follows a mapping, its has_details
// is set. Names come back as the process sees them: the kernel writes a newline in them as "\012".
// Errors: kInternal for text that the kernel does not write, the offending line in the message.
Result<std::vector<Mapping>> ParseMaps(std::string_view text);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_MAPS_PARSER_H_
