#include "evaluate/bench/html.h"

#include <cmath>
#include <string>
#include <utility>

#include "evaluate/bench/figures.h"
#include "evaluate/bench/text.h"
#include "report/html_panel.h"
#include "report/text.h"

namespace stillframe::evaluate {
namespace {

constexpr int kPointsPerNine = 10;

// Ten points for each further nine, as far as the count bears them, and the longest at the end.
HtmlCurve CurveOf(std::string name, const LatencyCounts& counts) {
  HtmlCurve curve{.name = std::move(name), .points = {}};
  if (counts.count() == 0) return curve;
  const double nines = std::log10(static_cast<double>(counts.count()));
  for (int i = 0; i <= static_cast<int>(nines * kPointsPerNine); ++i) {
    const double quantile = 1 - std::pow(10, -static_cast<double>(i) / kPointsPerNine);
    curve.points.push_back({quantile, counts.Quantile(quantile)});
  }
  curve.points.push_back({1 - 1 / static_cast<double>(counts.count()), counts.max()});
  return curve;
}

std::optional<Duration> DurationOf(const std::optional<double>& figure) {
  if (!figure) return std::nullopt;
  return Duration(static_cast<int64_t>(*figure));
}

std::optional<uint64_t> CountOf(const std::optional<double>& figure) {
  if (!figure) return std::nullopt;
  return static_cast<uint64_t>(std::llround(*figure));
}

HtmlMethod MethodOf(const BenchResult& result, size_t m) {
  const auto median = [&](std::string_view key) -> std::optional<double> {
    for (const BenchColumn& column : BenchColumns()) {
      if (column.key != key) continue;
      const auto spread = SpreadOf(result, m, column);
      if (spread) return spread->median;
    }
    return std::nullopt;
  };
  HtmlMethod method;
  method.name = result.plan.methods[m]->name;
  method.note = result.plan.methods[m]->about;
  if (const Error* error = FirstErrorOf(result, m)) method.note = "failed: " + error->message;
  method.pause = DurationOf(median("pause_ns"));
  method.worst_gap = DurationOf(median("worst_gap_ns"));
  method.p50 = DurationOf(median("p50_ns"));
  method.p99 = DurationOf(median("p99_ns"));
  method.p999 = DurationOf(median("p999_ns"));
  method.max = DurationOf(median("max_ns"));
  method.over_5ms = CountOf(median("over_5ms"));
  method.throughput_kept = median("throughput_kept");
  if (const auto lost = CountOf(median("lost_pages"))) method.lost = Pages{*lost};
  method.total = DurationOf(median("total_ns"));
  if (const auto extra = CountOf(median("extra_memory_bytes"))) method.extra_memory = Bytes{*extra};
  return method;
}

HtmlPanel PanelOf(const BenchRound& round) {
  const BenchRecord& record = *round.record;
  HtmlPanel panel = MakeHtmlPanel(round.method->name, record.trace);
  panel.latency_title = "Write latency";
  panel.note = round.method->about + ", run " + std::to_string(round.run) + ".";
  panel.latency = record.latency;
  panel.begin = record.begin;
  panel.end = record.end;
  if (round.summary && record.trace.start != TimePoint()) panel.pause = round.summary->pause;
  panel.memory = record.pages->ToMap();
  return panel;
}

std::vector<HtmlFact> FactsOf(const BenchResult& result, const std::string& command) {
  std::vector<HtmlFact> facts = {{"Machine", MachineText(result.machine)},
                                 {"Date", result.machine.date},
                                 {"Workload", JobText(result.plan)},
                                 {"Command", command}};
  facts.push_back({"Runs", std::to_string(result.plan.runs) + " of each method, in turn"});
  return facts;
}

}  // namespace

HtmlReport BenchToHtml(const BenchResult& result, const std::string& command) {
  HtmlReport report;
  report.title = "stillframe bench";
  report.lead =
      "What a save costs the program that is saved: each way of saving took its turn on the same "
      "running workload, which timed each of its own writes from when it was intended.";
  report.facts = FactsOf(result, command);
  for (size_t m = 0; m < result.plan.methods.size(); ++m) {
    report.methods.push_back(MethodOf(result, m));
    HtmlCurve curve = CurveOf(result.plan.methods[m]->name, LatenciesOf(result, m));
    if (!curve.points.empty()) report.curves.push_back(std::move(curve));
    for (const BenchRound& round : result.rounds[m]) {
      if (round.record && !round.error) report.panels.push_back(PanelOf(round));
    }
  }
  report.notes = {
      "Figures of the table are medians over the runs; curves are over all of them; "
      "heat maps, timelines and memory maps show the last run.",
      "The worst gap is the longest that a thread of the workload without work did not "
      "get to look at the clock, which it does every 0.5 ms.",
      TimingText(result) + "."};
  return report;
}

}  // namespace stillframe::evaluate
