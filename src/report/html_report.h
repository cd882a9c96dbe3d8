// One HTML file that shows what a save, or several ways of saving, cost the program that was saved.
// It needs no network: styles, scripts and data are in it.
#ifndef STILLFRAME_REPORT_HTML_REPORT_H_
#define STILLFRAME_REPORT_HTML_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/latency_histogram.h"
#include "report/html_heat_map.h"
#include "report/html_memory_map.h"
#include "report/html_timeline.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// A line of the header: "Machine", "2 vCPU AMD EPYC, 8 GiB, Linux 6.18".
struct HtmlFact {
  std::string label;
  std::string value;
};

// A row of the table. What was not measured is unset and shown as a dash.
struct HtmlMethod {
  std::string name;       // "skip"; curves and panels of the same name get the same colour
  std::string note = {};  // shown under the name: why values are missing, or empty
  std::optional<Duration> pause = std::nullopt;
  std::optional<Duration> worst_gap = std::nullopt;  // the longest the target stood still
  std::optional<Duration> p50 = std::nullopt;        // of write latency during the save
  std::optional<Duration> p99 = std::nullopt;
  std::optional<Duration> p999 = std::nullopt;
  std::optional<Duration> max = std::nullopt;
  std::optional<uint64_t> over_5ms = std::nullopt;       // writes that took longer
  std::optional<double> throughput_kept = std::nullopt;  // 1: as much as without a save
  std::optional<Pages> lost = std::nullopt;
  std::optional<Duration> total = std::nullopt;      // the whole save
  std::optional<Bytes> extra_memory = std::nullopt;  // most that was needed beside the target's own
};

struct HtmlQuantile {
  double quantile = 0;  // 0 to 1
  Duration latency{0};
};

// The percentile curve of one method.
struct HtmlCurve {
  static constexpr size_t kMaxPoints = 500;
  std::string name;
  std::vector<HtmlQuantile> points;  // by quantile, ascending
};

// A moment on the time axis: "paused", "done".
struct HtmlMark {
  Duration at{0};
  std::string label;
};

// One save in detail. All times count from the moment the target was let run again after the pause
// (SaveTrace::start); before it they are negative.
struct HtmlPanel {
  std::string name;
  std::string note;  // one sentence under the name, or empty
  // What the heat map shows: "Write latency", or "Waits of writes" of a save from outside. Empty:
  // there was nothing to measure, and there is no heat map.
  std::string latency_title = "Write latency";
  Duration begin{0};  // of the time axis
  Duration end{0};
  Duration pause{0};  // how long the target had stood still at time 0
  std::vector<HtmlMark> marks = {};
  HtmlHeatMap latency = {};
  HtmlTimeline timeline = {};
  HtmlMemoryMap memory = {};
};

struct HtmlReport {
  static constexpr size_t kMaxPanels = 32;

  std::string title;  // "stillframe bench"
  std::string lead;   // what is shown, in a sentence or two; may be empty
  std::vector<HtmlFact> facts;
  std::vector<HtmlMethod> methods;  // empty: no table
  std::string methods_note = "p50 to max: latency of the writes during the save.";
  std::vector<HtmlCurve> curves;  // empty: no chart
  std::string curves_title = "Write latency by percentile";
  std::vector<HtmlPanel> panels;
  std::vector<std::string> notes;  // at the end
};

// The quantiles of a histogram that a curve is drawn through: 10 for each further nine, as far as
// the count bears them. Empty for an empty histogram.
HtmlCurve MakeHtmlCurve(std::string name, const LatencyHistogram& histogram);

// The file. Strings may hold any bytes: what is no UTF-8 becomes U+FFFD. Errors: kUsage for more
// than the bounds of the types above allow, or a panel that ends before it begins.
Result<std::string> RenderHtml(const HtmlReport& report);
// The same to a file, which is replaced; none is left behind on failure. Errors: those of
// RenderHtml, kOutput, kPermission.
Result<void> WriteHtml(const HtmlReport& report, const std::string& path);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_REPORT_H_
