// What became of an image that a core, or another image, was made of.
#ifndef STILLFRAME_REPORT_CONVERSION_REPORT_H_
#define STILLFRAME_REPORT_CONVERSION_REPORT_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/json.h"
#include "report/save_format.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// The verb of the command that makes that of an image: "core", "merge".
std::string_view ConversionVerb(SaveFormat format);

struct ConvertedImage {
  SaveFormat format = SaveFormat::kCore;  // what it was made into
  pid_t pid = 0;                          // of the process that was saved
  uint64_t instant_unix_ns = 0;
  Bytes memory;        // all that the image describes
  SinkCounters pages;  // `written`: to the output, without holes
  std::vector<RangeReason> skipped;
  std::vector<RangeReason> lost;
};

// `pages`: those of the sink that it was copied to.
ConvertedImage ConvertedOf(const ImageReader& image, SaveFormat format, const SinkCounters& pages);

// The object of `core --from --json` and `merge --json`; the README lists its fields. `from` and
// `output`: as the user named them.
Json ConvertedToJson(const ConvertedImage& converted, std::string_view from,
                     std::string_view output);
// Some lines for a person, each with its newline. `all`: lost and skipped ranges in full.
std::string ConvertedToText(const ConvertedImage& converted, std::string_view from,
                            std::string_view output, bool all);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_CONVERSION_REPORT_H_
