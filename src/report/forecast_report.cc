#include "report/forecast_report.h"

#include <chrono>
#include <cmath>

#include "report/text.h"

namespace stillframe {
namespace {

int64_t Microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string Percent(double share) { return std::to_string(std::lround(share * 100)) + "%"; }

std::string WayLine(const WayForecast& way, bool advised) {
  std::string name(ViaName(way.via));
  if (way.instant == Instant::kLate) name += " late";
  name.resize(7, ' ');
  std::string line = std::string(advised ? "* " : "  ") + name;
  if (!way.obstacle.empty()) return line + " " + Printable(way.obstacle) + "\n";
  return line + Padded(FormatDuration(way.pause), 11) + Padded(FormatDuration(way.duration), 12) +
         Padded(FormatBytes(way.extra_memory), 14) + "\n";
}

}  // namespace

Json ForecastToJson(const SaveForecast& forecast, std::string_view verb) {
  const TargetSurvey& survey = forecast.survey;
  Json report = JsonReport(verb);
  report["dry_run"] = true;
  report["pid"] = survey.pid;
  report["memory_bytes"] = survey.memory.count;
  report["present_bytes"] = survey.present.count;
  report["copied_bytes"] = survey.copied.count;
  report["huge_bytes"] = survey.huge.count;
  report["zero_share"] = survey.zero_share;
  report["pages_written_per_second"] =
      survey.pages_written ? Json(*survey.pages_written) : Json(nullptr);
  report["sampled_pages"] = survey.sampled.count;
  report["ways"] = Json::array();
  for (const WayForecast& way : forecast.ways) {
    Json one = {{"via", ViaName(way.via)},
                {"instant", InstantName(way.instant)},
                {"possible", way.obstacle.empty()}};
    if (way.obstacle.empty()) {
      one["pause_us"] = Microseconds(way.pause);
      one["duration_ms"] = Microseconds(way.duration) / 1000;
      one["extra_memory_bytes"] = way.extra_memory.count;
    } else {
      one["obstacle"] = way.obstacle;
    }
    report["ways"].push_back(std::move(one));
  }
  report["advice"] = ViaName(forecast.advice);
  report["reason"] = forecast.reason;
  return report;
}

std::string ForecastToText(const SaveForecast& forecast) {
  const TargetSurvey& survey = forecast.survey;
  std::string text = "process " + std::to_string(survey.pid) + ": " + FormatBytes(survey.memory) +
                     " to save, " + FormatBytes(survey.present + survey.copied) +
                     " of it present, " + FormatBytes(survey.huge) + " in huge pages, " +
                     Percent(survey.zero_share) + " of it zero\n";
  text += "  written   " +
          (survey.pages_written ? FormatCount(*survey.pages_written) + " pages/s"
                                : std::string("unknown: this needs Linux 6.7 or later")) +
          "\n  sample    " + FormatCount(survey.sampled.count) + " pages\n\n";
  text += "  via          pause    at least  extra memory\n";
  for (const WayForecast& way : forecast.ways) {
    text += WayLine(way, way.via == forecast.advice && way.instant == Instant::kNow);
  }
  return text + "\nTake --via " + std::string(ViaName(forecast.advice)) + ": " + forecast.reason +
         ".\n";
}

}  // namespace stillframe
