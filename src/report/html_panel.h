// What is drawn of one save, from what its saver saw.
#ifndef STILLFRAME_REPORT_HTML_PANEL_H_
#define STILLFRAME_REPORT_HTML_PANEL_H_

#include <string>

#include "report/html_report.h"
#include "stillframe/image_reader.h"
#include "stillframe/save_trace.h"

namespace stillframe {

// Heat map of the waits of faults, throttle, stage and bandwidth. Who measured the writes himself
// replaces `latency` and `latency_title`; who wants time before the pause, or after the last look,
// moves `begin` and `end`. `memory` is left empty.
HtmlPanel MakeHtmlPanel(std::string name, const SaveTrace& trace);

// From a finished image: exact, and nothing has to be recorded during the save.
HtmlMemoryMap MakeHtmlMemoryMap(const ImageReader& image);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_PANEL_H_
