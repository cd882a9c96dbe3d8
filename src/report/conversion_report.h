// What became of an image that a core was made of.
#ifndef STILLFRAME_REPORT_CONVERSION_REPORT_H_
#define STILLFRAME_REPORT_CONVERSION_REPORT_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/json.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

struct ConvertedCore {
  pid_t pid = 0;  // of the process that was saved
  uint64_t instant_unix_ns = 0;
  Bytes memory;        // all that the image describes
  SinkCounters pages;  // `written`: to the core, without its holes
  std::vector<RangeReason> skipped;
  std::vector<RangeReason> lost;
};

// `pages`: as WriteCoreOf returned them.
ConvertedCore ConvertedOf(const ImageReader& image, const SinkCounters& pages);

// The object of `core --from --json`; the README lists its fields. `from` and `output`: as the user
// named them.
Json ConvertedToJson(const ConvertedCore& core, std::string_view from, std::string_view output);
// Some lines for a person, each with its newline. `all`: lost and skipped ranges in full.
std::string ConvertedToText(const ConvertedCore& core, std::string_view from,
                            std::string_view output, bool all);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_CONVERSION_REPORT_H_
