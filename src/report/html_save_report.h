// The report of one real save, from what its tracker saw.
#ifndef STILLFRAME_REPORT_HTML_SAVE_REPORT_H_
#define STILLFRAME_REPORT_HTML_SAVE_REPORT_H_

#include <string>
#include <vector>

#include "report/html_report.h"
#include "report/save_format.h"
#include "stillframe/save.h"
#include "stillframe/save_trace.h"

namespace stillframe {

// `output`: what was written, as the user named it, of `format`. `facts` (machine, date, command)
// come first in the header. `memory` may be empty. In place of latencies, which only the target
// could measure, stand the waits of its faults.
HtmlReport MakeHtmlSaveReport(const SaveSummary& summary, const std::string& output,
                              const SaveTrace& trace, HtmlMemoryMap memory,
                              std::vector<HtmlFact> facts, SaveFormat format = SaveFormat::kImage);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_SAVE_REPORT_H_
