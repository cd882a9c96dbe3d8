// What a save did.
#ifndef STILLFRAME_REPORT_SUMMARY_REPORT_H_
#define STILLFRAME_REPORT_SUMMARY_REPORT_H_

#include <string>
#include <string_view>
#include <vector>

#include "report/json.h"
#include "report/save_format.h"
#include "stillframe/save.h"

namespace stillframe {

inline constexpr std::string_view kNoCodec = "none";

// The object of `save --json` and `core --json`; the README lists its fields. `output`: as the user
// named it. `codec`: what blocks of an image were compressed with, as --compress names it.
Json SummaryToJson(const SaveSummary& summary, std::string_view output,
                   SaveFormat format = SaveFormat::kImage, std::string_view codec = kNoCodec);
// Some lines for a person, each with its newline. `all`: lost and skipped ranges in full, else the
// first few.
std::string SummaryToText(const SaveSummary& summary, std::string_view output, bool all,
                          SaveFormat format = SaveFormat::kImage,
                          std::string_view codec = kNoCodec);
// "stillframe: warning: ..." naming what was left out; empty unless summary.skipped_much.
std::string SkippedWarning(const SaveSummary& summary, SaveFormat format = SaveFormat::kImage);

// A line per range with its size and reason, "  " in front; after `limit` of them only how many
// more there are.
std::string RangeListToText(const std::vector<RangeReason>& ranges, size_t limit);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_SUMMARY_REPORT_H_
