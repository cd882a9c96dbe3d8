// The bench's result as a picture.
#ifndef STILLFRAME_EVALUATE_BENCH_HTML_H_
#define STILLFRAME_EVALUATE_BENCH_HTML_H_

#include "evaluate/bench/suite.h"
#include "report/html_report.h"

namespace stillframe::evaluate {

// The table, percentile curves over all runs, and a panel for each method of its last run, which
// has to have been recorded (BenchPlan::record). `command`: what the user typed.
HtmlReport BenchToHtml(const BenchResult& result, const std::string& command);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_HTML_H_
