// A report with made-up data in all of its parts, as large as a real one.
#ifndef STILLFRAME_TESTS_UNIT_REPORT_HTML_SAMPLE_H_
#define STILLFRAME_TESTS_UNIT_REPORT_HTML_SAMPLE_H_

#include "report/html_report.h"
#include "stillframe/save_trace.h"

namespace stillframe::test {

// The same each time.
HtmlReport SampleReport();
// Three seconds: 4,000 faults, some of them slow, and a throttle that holds back after those.
SaveTrace SampleTrace();

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_UNIT_REPORT_HTML_SAMPLE_H_
