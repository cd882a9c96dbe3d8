#include "report/progress_report.h"

#include <algorithm>

#include "report/text.h"

namespace stillframe {
namespace {

// Pages may be counted as done before the total is settled: never more than 100, and 100 only at
// the end.
unsigned PercentOf(const SaveProgress& progress) {
  if (progress.phase == SavePhase::kDone) return 100;
  if (progress.total.count == 0) return 0;
  const double share =
      static_cast<double>(progress.done.count) / static_cast<double>(progress.total.count);
  return static_cast<unsigned>(std::clamp(share * 100, 0.0, 99.0));
}

std::string Percent(const SaveProgress& progress) {
  std::string text = std::to_string(PercentOf(progress)) + "%";
  return std::string(5 - std::min<size_t>(4, text.size()), ' ') + text;
}

std::string Counters(const SaveProgress& progress) {
  std::string text = FormatBytes(progress.written) + " written, " + FormatCount(progress.faults) +
                     " faults, stage " + FormatBytes(progress.stage_used) + ", " +
                     FormatDuration(progress.elapsed);
  if (progress.holding_back) text += ", holding back";
  return text;
}

}  // namespace

std::string_view SavePhaseName(SavePhase phase) {
  switch (phase) {
    case SavePhase::kAttaching:
      return "attaching";
    case SavePhase::kPausing:
      return "pausing";
    case SavePhase::kSaving:
      return "saving";
    case SavePhase::kFinishing:
      return "finishing";
    case SavePhase::kDone:
      return "done";
  }
  return "saving";
}

std::string ProgressToBar(const SaveProgress& progress) {
  constexpr size_t kWidth = 20;
  const size_t filled = PercentOf(progress) * kWidth / 100;
  return std::string(SavePhaseName(progress.phase)) + Percent(progress) + " [" +
         std::string(filled, '#') + std::string(kWidth - filled, ' ') + "] " + Counters(progress);
}

std::string ProgressToStatus(const SaveProgress& progress) {
  return std::string(SavePhaseName(progress.phase)) + Percent(progress) + ": " +
         FormatCount(progress.done.count) + " of " + FormatCount(progress.total.count) +
         " pages, " + Counters(progress);
}

Json ProgressToJson(std::string_view verb, const SaveProgress& progress) {
  Json report = JsonReport(verb);
  report["progress"] = {
      {"phase", SavePhaseName(progress.phase)},
      {"total_pages", progress.total.count},
      {"done_pages", progress.done.count},
      {"written_bytes", progress.written.count},
      {"faults", progress.faults},
      {"stage_bytes", progress.stage_used.count},
      {"holding_back", progress.holding_back},
      {"elapsed_ms",
       std::chrono::duration_cast<std::chrono::milliseconds>(progress.elapsed).count()}};
  return report;
}

}  // namespace stillframe
