// The files that make the page, as they lie in html/; the build embeds them.
#ifndef STILLFRAME_REPORT_HTML_ASSETS_H_
#define STILLFRAME_REPORT_HTML_ASSETS_H_

#include <string_view>

namespace stillframe {

// With "<!--notice-->", "<!--style-->", "<!--data-->" and "<!--script-->" where the rest goes.
std::string_view HtmlPageTemplate();
std::string_view HtmlPageStyle();
std::string_view HtmlScriptUnits();
std::string_view HtmlScriptColors();
std::string_view HtmlScriptDom();
std::string_view HtmlScriptChart();
std::string_view HtmlScriptHeatMap();
std::string_view HtmlScriptTimeline();
std::string_view HtmlScriptPercentiles();
std::string_view HtmlScriptMemoryMap();
std::string_view HtmlScriptMethods();
std::string_view HtmlScriptMain();
std::string_view UplotScript();
std::string_view UplotStyle();
std::string_view UplotLicense();

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_ASSETS_H_
