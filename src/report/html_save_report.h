// The report of one real save, from what its tracker saw.
#ifndef STILLFRAME_REPORT_HTML_SAVE_REPORT_H_
#define STILLFRAME_REPORT_HTML_SAVE_REPORT_H_

#include <string>
#include <vector>

#include "report/html_report.h"
#include "stillframe/save.h"
#include "stillframe/save_trace.h"

namespace stillframe {

// `image`: as the user named it. `facts` (machine, date, command) come first in the header.
// `memory` may be empty. In place of latencies, which only the target could measure, stand the
// waits of its faults.
HtmlReport MakeHtmlSaveReport(const SaveSummary& summary, const std::string& image,
                              const SaveTrace& trace, HtmlMemoryMap memory,
                              std::vector<HtmlFact> facts);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_SAVE_REPORT_H_
