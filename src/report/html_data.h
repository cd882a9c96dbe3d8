// The report's data as the page's script reads it.
#ifndef STILLFRAME_REPORT_HTML_DATA_H_
#define STILLFRAME_REPORT_HTML_DATA_H_

#include "report/html_report.h"
#include "report/json.h"

namespace stillframe {

// Times in nanoseconds, sizes in bytes, addresses as hex strings. Private to the page: it may
// change with it.
Json HtmlReportToJson(const HtmlReport& report);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_DATA_H_
