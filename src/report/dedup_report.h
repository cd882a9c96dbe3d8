// What `dedup` freed.
#ifndef STILLFRAME_REPORT_DEDUP_REPORT_H_
#define STILLFRAME_REPORT_DEDUP_REPORT_H_

#include <string>
#include <string_view>

#include "report/json.h"
#include "stillframe/dedup.h"

namespace stillframe {

// The object of `dedup --json`; the README lists its fields. `directory`: as the user named it.
Json DedupToJson(const DedupReport& report, std::string_view directory, bool dry_run);
// Some lines for a person, each with its newline.
std::string DedupToText(const DedupReport& report, std::string_view directory, bool dry_run);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_DEDUP_REPORT_H_
