// How far a save is, on one line.
#ifndef STILLFRAME_REPORT_PROGRESS_REPORT_H_
#define STILLFRAME_REPORT_PROGRESS_REPORT_H_

#include <string>
#include <string_view>

#include "report/json.h"
#include "stillframe/save.h"

namespace stillframe {

// "attaching", "pausing", "saving", "finishing", "done".
std::string_view SavePhaseName(SavePhase phase);
// "saving  42% [########            ] 430 MiB, 1,234 faults, stage 3.00 MiB, 1.20 s", no newline.
std::string ProgressToBar(const SaveProgress& progress);
// The same without the bar: what SIGUSR1 prints.
std::string ProgressToStatus(const SaveProgress& progress);
// {"schema", "verb", "progress": {"phase", "total_pages", "done_pages", "written_bytes", "faults",
// "stage_bytes", "holding_back", "elapsed_ms"}}.
Json ProgressToJson(std::string_view verb, const SaveProgress& progress);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_PROGRESS_REPORT_H_
