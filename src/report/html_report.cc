#include "report/html_report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "report/html_assets.h"
#include "report/html_data.h"

namespace stillframe {
namespace {

constexpr size_t kPointsPerNine = 10;

// JSON that no byte of it can end the script element around it: "<" stands only in its strings,
// where it may be written this way as well.
std::string EscapeJson(std::string_view json) {
  std::string escaped;
  escaped.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      escaped += "\\u003c";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string Element(std::string_view name, std::string_view attributes, std::string_view content) {
  std::string element = "<";
  element += name;
  element += attributes;
  element += ">\n";
  element += content;
  element += "\n</";
  element += name;
  element += ">\n";
  return element;
}

std::string Scripts() {
  std::string scripts = Element("script", "", UplotScript());
  for (const std::string_view script :
       {HtmlScriptUnits(), HtmlScriptColors(), HtmlScriptDom(), HtmlScriptChart(),
        HtmlScriptHeatMap(), HtmlScriptTimeline(), HtmlScriptPercentiles(), HtmlScriptMemoryMap(),
        HtmlScriptMethods(), HtmlScriptMain()}) {
    scripts += Element("script", "", script);
  }
  return scripts;
}

// Puts each part where its name stands in the template. One pass, so that what is filled in is
// never searched.
std::string Fill(std::string_view page, const std::map<std::string_view, std::string>& parts) {
  constexpr std::string_view kOpen = "<!--";
  constexpr std::string_view kClose = "-->";
  std::string filled;
  for (;;) {
    const size_t open = page.find(kOpen);
    const size_t close = page.find(kClose, open);
    if (open == std::string_view::npos || close == std::string_view::npos) break;
    filled += page.substr(0, open);
    const auto part = parts.find(page.substr(open + kOpen.size(), close - open - kOpen.size()));
    if (part != parts.end()) filled += part->second;
    page.remove_prefix(close + kClose.size());
  }
  return filled += page;
}

// Errors are errno values.
tl::expected<void, int> WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return tl::unexpected(errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

tl::unexpected<Error> TooMuch(std::string what) {
  return Fail(ErrorCode::kUsage, "the report can't be drawn: " + std::move(what));
}

Result<void> CheckPanel(const HtmlPanel& panel) {
  if (panel.end < panel.begin) return TooMuch(panel.name + " ends before it begins");
  const HtmlHeatMap& heat = panel.latency;
  if (heat.counts.size() > HtmlHeatMap::kMaxColumns || heat.longest.size() != heat.counts.size() ||
      (!heat.empty() && heat.column <= Duration(0))) {
    return TooMuch("the heat map of " + panel.name + " has a wrong number of columns");
  }
  const HtmlTimeline& timeline = panel.timeline;
  if (timeline.bins.size() > HtmlTimeline::kMaxBins ||
      (!timeline.empty() && timeline.bin <= Duration(0))) {
    return TooMuch("the timeline of " + panel.name + " has a wrong number of bins");
  }
  size_t cells = 0;
  for (const HtmlMemoryMap::Mapping& mapping : panel.memory.mappings) cells += mapping.cells.size();
  if (panel.memory.mappings.size() > HtmlMemoryMap::kMaxMappings ||
      cells > HtmlMemoryMap::kMaxCells + HtmlMemoryMap::kMaxMappings) {
    return TooMuch("the memory map of " + panel.name + " has too many cells");
  }
  return {};
}

Result<void> CheckBounds(const HtmlReport& report) {
  constexpr size_t kMax = HtmlReport::kMaxPanels;
  if (report.panels.size() > kMax || report.curves.size() > kMax || report.methods.size() > kMax) {
    return TooMuch("it has more than " + std::to_string(kMax) + " methods");
  }
  for (const HtmlCurve& curve : report.curves) {
    if (curve.points.size() > HtmlCurve::kMaxPoints) {
      return TooMuch("the curve of " + curve.name + " has too many points");
    }
  }
  for (const HtmlPanel& panel : report.panels) STILLFRAME_TRY(CheckPanel(panel));
  return {};
}

}  // namespace

HtmlCurve MakeHtmlCurve(std::string name, const LatencyHistogram& histogram) {
  HtmlCurve curve{std::move(name), {}};
  const auto count = static_cast<double>(histogram.count());
  if (count < 1) return curve;
  // The rank of the longest; any quantile beyond is the same value.
  const double last = 1 - 0.5 / count;
  for (size_t i = 0; curve.points.size() + 1 < HtmlCurve::kMaxPoints; ++i) {
    const double quantile =
        1 - std::pow(10, -static_cast<double>(i) / static_cast<double>(kPointsPerNine));
    if (quantile >= last) break;
    curve.points.push_back({quantile, histogram.Quantile(quantile)});
  }
  curve.points.push_back({last, histogram.max()});
  return curve;
}

Result<std::string> RenderHtml(const HtmlReport& report) {
  STILLFRAME_TRY(CheckBounds(report));
  const std::string notice = "<!--\nThis file contains uPlot, under this license:\n\n" +
                             std::string(UplotLicense()) + "\n-->\n";
  return Fill(HtmlPageTemplate(),
              {{"notice", notice},
               {"style", Element("style", "",
                                 std::string(UplotStyle()) + "\n" + std::string(HtmlPageStyle()))},
               {"data", Element("script", " type=\"application/json\" id=\"report\"",
                                EscapeJson(DumpJson(HtmlReportToJson(report))))},
               {"script", Scripts()}});
}

Result<void> WriteHtml(const HtmlReport& report, const std::string& path) {
  STILLFRAME_ASSIGN(const std::string page, RenderHtml(report));
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return FailErrno(errno, "opening the report " + path, {}, ErrorCode::kOutput);
  if (auto written = WriteAll(file.get(), page); !written) {
    // Half a report is none. What is no regular file (a pipe, a terminal) stays.
    struct stat status = {};
    if (fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode)) unlink(path.c_str());
    return FailErrno(written.error(), "writing the report " + path, {}, ErrorCode::kOutput);
  }
  return {};
}

}  // namespace stillframe
