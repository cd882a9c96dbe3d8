#include "report/html_save_report.h"

#include <algorithm>
#include <utility>

#include "report/html_panel.h"
#include "report/text.h"

namespace stillframe {
namespace {

constexpr Duration kLong = std::chrono::milliseconds(5);

Duration Microseconds(uint64_t us) { return std::chrono::microseconds(static_cast<int64_t>(us)); }

HtmlMethod MakeRow(const SaveSummary& summary, const SaveTrace& trace) {
  HtmlMethod method{.name = summary.policy};
  method.pause = summary.pause;
  if (summary.wait.count > 0) {
    method.p50 = Microseconds(summary.wait.p50);
    method.p99 = Microseconds(summary.wait.p99);
    method.p999 = Microseconds(summary.wait.p999);
    method.max = Microseconds(summary.wait.max);
  }
  if (trace.faults_left_out == 0) {
    method.over_5ms = static_cast<uint64_t>(
        std::ranges::count_if(trace.faults, [](const TracedFault& f) { return f.wait > kLong; }));
  }
  method.lost = summary.pages.lost;
  method.total = summary.duration;
  return method;
}

HtmlCurve MakeCurve(const SaveSummary& summary, const SaveTrace& trace) {
  LatencyHistogram waits;
  for (const TracedFault& fault : trace.faults) waits.Record(fault.wait);
  return MakeHtmlCurve(summary.policy, waits);
}

std::string PagesText(const SaveSummary& summary) {
  const SinkCounters& pages = summary.pages;
  return FormatCount(summary.total.count) + ": " + FormatCount(pages.zero.count) + " zero, " +
         FormatCount(pages.scanned.count) + " scanned, " + FormatCount(pages.faulted.count) +
         " faulted, " + FormatCount(pages.paused.count) + " paused, " +
         FormatCount(pages.lost.count) + " lost";
}

std::string StageText(const SaveSummary& summary) {
  return FormatBytes(summary.stage_size) + ", at most " + FormatBytes(summary.stage_peak) +
         " used, found full by " + FormatCount(summary.stage_full) + " faults";
}

}  // namespace

HtmlReport MakeHtmlSaveReport(const SaveSummary& summary, const std::string& output,
                              const SaveTrace& trace, HtmlMemoryMap memory,
                              std::vector<HtmlFact> facts, SaveFormat format) {
  HtmlReport report;
  report.title = "Save of process " + std::to_string(summary.pid);
  report.lead =
      "What the save saw: each write of the process to a page that was not saved yet waited "
      "until that page was copied.";
  report.facts = std::move(facts);
  report.facts.push_back(
      {format == SaveFormat::kCore ? "Core" : "Image", output + ", " + FormatBytes(summary.image)});
  report.facts.push_back({"Memory", FormatBytes(summary.memory)});
  report.facts.push_back({"Pages", PagesText(summary)});
  report.facts.push_back({"Writes that waited", FormatCount(summary.wait.count)});
  report.facts.push_back({"Stage", StageText(summary)});
  report.methods.push_back(MakeRow(summary, trace));
  report.methods_note =
      "p50 to max: waits of writes that faulted, from the fault's arrival at the tracker to the "
      "opening of its page. All other writes waited for nothing.";
  report.curves.push_back(MakeCurve(summary, trace));
  report.curves_title = "Waits by percentile";
  report.panels.push_back(MakeHtmlPanel(summary.policy, trace));
  report.panels.back().pause = summary.pause;
  report.panels.back().memory = std::move(memory);
  return report;
}

}  // namespace stillframe
