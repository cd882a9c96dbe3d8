#include "report/summary_report.h"

#include <algorithm>
#include <map>

#include "report/text.h"

namespace stillframe {
namespace {

// How many ranges a person is shown before "and N more".
constexpr size_t kShortList = 5;

int64_t Microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

std::string FormatMicroseconds(uint64_t us) {
  return FormatDuration(std::chrono::microseconds(us));
}

Bytes SizeOf(const std::vector<RangeReason>& ranges) {
  Bytes size;
  for (const RangeReason& range : ranges) size += range.range.size();
  return size;
}

Json PagesToJson(const SaveSummary& summary) {
  return {{"total", summary.total.count},
          {"zero", summary.pages.zero.count},
          {"scanned", summary.pages.scanned.count},
          {"faulted", summary.pages.faulted.count},
          {"paused", summary.pages.paused.count},
          {"lost", summary.pages.lost.count},
          {"in_parent", summary.pages.in_parent.count}};
}

Json WaitToJson(const WaitSummary& wait) {
  return {{"count", wait.count},
          {"p50", wait.p50},
          {"p99", wait.p99},
          {"p999", wait.p999},
          {"max", wait.max}};
}

Json PauseToJson(const SaveSummary& summary) {
  return {{"total_us", Microseconds(summary.pause)},
          {"stop_us", Microseconds(summary.paused.stop)},
          {"arm_us", Microseconds(summary.paused.arm)},
          {"copy_us", Microseconds(summary.paused.copy)},
          {"resume_us", Microseconds(summary.paused.resume)},
          {"limit_met", summary.paused.limit_met}};
}

Json PrearmToJson(const PrearmSummary& prearm) {
  return {{"rounds", prearm.rounds},
          {"duration_ms",
           std::chrono::duration_cast<std::chrono::milliseconds>(prearm.duration).count()},
          {"logged_pages", prearm.logged.count},
          {"slowed_us", Microseconds(prearm.slowed)},
          {"stopped_us", Microseconds(prearm.stopped)}};
}

std::string PauseLine(const SaveSummary& summary) {
  std::string line = "  pause     " + FormatDuration(summary.pause);
  if (!summary.paused.limit_met) line += ", over its limit";
  if (summary.at_instant > Duration(0)) {
    line += ", and " + FormatDuration(summary.at_instant) + " for --exec-paused";
  }
  line += " (attaching: " + FormatDuration(summary.attach);
  if (summary.prearm.stopped > Duration(0)) {
    line += ", registering: " + FormatDuration(summary.prearm.stopped);
  }
  return line + ")\n";
}

std::string WaitLine(const WaitSummary& wait) {
  if (wait.count == 0) return "  waits     no write had to wait\n";
  return "  waits     " + FormatCount(wait.count) + " writes: p50 " + FormatMicroseconds(wait.p50) +
         ", p99 " + FormatMicroseconds(wait.p99) + ", p99.9 " + FormatMicroseconds(wait.p999) +
         ", max " + FormatMicroseconds(wait.max) + "\n";
}

std::string ThrottleLine(const SaveSummary& summary) {
  return "  throttle  " + summary.policy + ": " + FormatCount(summary.throttle.triggers) +
         " slow faults, " + FormatCount(summary.throttle.polls) + " polls, " +
         FormatCount(summary.throttle.forced) + " forced runs\n";
}

std::string RoundsLine(const SaveSummary& summary) {
  if (summary.rounds.count == 0) return {};
  return "  rounds    " + FormatCount(summary.rounds.count) + ", " +
         FormatBytes(summary.rounds.copied) + " copied while it ran\n";
}

std::string PagesLine(const SaveSummary& summary) {
  const SinkCounters& pages = summary.pages;
  return "  pages     " + FormatCount(summary.total.count) + ": " + FormatCount(pages.zero.count) +
         " zero, " + FormatCount(pages.scanned.count) + " scanned, " +
         FormatCount(pages.faulted.count) + " faulted, " + FormatCount(pages.paused.count) +
         " paused, " + FormatCount(pages.lost.count) + " lost" +
         (pages.in_parent.count > 0 ? ", " + FormatCount(pages.in_parent.count) + " in the parent"
                                    : "") +
         "\n";
}

// Nothing where blocks are stored as they are.
std::string CompressionLine(const SinkCounters& pages, std::string_view codec) {
  if (codec == kNoCodec || pages.encoded_from.count == 0) return {};
  const uint64_t tenths = pages.encoded_to.count * 1000 / pages.encoded_from.count;
  return "  " + std::string(codec) + std::string(10 - std::min<size_t>(codec.size(), 9), ' ') +
         FormatBytes(pages.encoded_from) + " stored as " + FormatBytes(pages.encoded_to) + ", " +
         std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "%\n";
}

std::string SizesLine(const SaveSummary& summary, SaveFormat format) {
  std::string line = "  sizes     memory " + FormatBytes(summary.memory) + ", " +
                     std::string(FormatName(format)) + " " + FormatBytes(summary.image);
  if (summary.stage_size.count > 0) {
    line += ", stage peak " + FormatBytes(summary.stage_peak) + " of " +
            FormatBytes(summary.stage_size);
  }
  if (summary.stage_full > 0) line += ", full " + FormatCount(summary.stage_full) + " times";
  if (summary.stage_spilled.count > 0) line += ", spilled " + FormatBytes(summary.stage_spilled);
  return line + "\n";
}

}  // namespace

Json SummaryToJson(const SaveSummary& summary, std::string_view output, SaveFormat format,
                   std::string_view codec) {
  Json report = JsonReport(VerbOf(format));
  report["pid"] = summary.pid;
  report["image"] = output;
  report["format"] = FormatName(format);
  report["via"] = ViaName(summary.via);
  report["attach_us"] = Microseconds(summary.attach);
  report["pause_us"] = Microseconds(summary.pause);
  report["pause"] = PauseToJson(summary);
  report["prearm"] = PrearmToJson(summary.prearm);
  report["instant"] = InstantName(summary.instant);
  report["tracker"] = summary.via == Via::kWriteProtect ? TrackerWaitName(summary.tracker) : "none";
  report["exec_us"] = Microseconds(summary.at_instant);
  report["duration_ms"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(summary.duration).count();
  report["memory_bytes"] = summary.memory.count;
  report["image_bytes"] = summary.image.count;
  if (format == SaveFormat::kImage) {
    report["compression"] = {{"codec", codec},
                             {"raw_bytes", summary.pages.encoded_from.count},
                             {"stored_bytes", summary.pages.encoded_to.count}};
  }
  report["pages"] = PagesToJson(summary);
  report["wait_us"] = WaitToJson(summary.wait);
  report["throttle"] = {{"policy", summary.policy},
                        {"triggers", summary.throttle.triggers},
                        {"polls", summary.throttle.polls},
                        {"forced", summary.throttle.forced}};
  report["stage"] = {{"bytes", summary.stage_size.count},
                     {"peak_bytes", summary.stage_peak.count},
                     {"full", summary.stage_full},
                     {"spilled_bytes", summary.stage_spilled.count}};
  report["rounds"] = {{"count", summary.rounds.count},
                      {"copied_bytes", summary.rounds.copied.count}};
  report["unmaps"] = summary.unmaps;
  report["skipped"] = RangesToJson(summary.skipped);
  report["lost"] = RangesToJson(summary.lost);
  return report;
}

std::string SummaryToText(const SaveSummary& summary, std::string_view output, bool all,
                          SaveFormat format, std::string_view codec) {
  std::string text = "saved process " + std::to_string(summary.pid) + " to " + Printable(output) +
                     " via " + std::string(ViaName(summary.via)) +
                     (summary.instant == Instant::kLate ? " late in " : " in ") +
                     FormatDuration(summary.duration) + "\n";
  text += PauseLine(summary);
  // The other ways make no write wait and hold nothing back.
  if (summary.via == Via::kWriteProtect) text += WaitLine(summary.wait) + ThrottleLine(summary);
  text += RoundsLine(summary) + PagesLine(summary) + SizesLine(summary, format) +
          CompressionLine(summary.pages, codec);
  const size_t limit = all ? SIZE_MAX : kShortList;
  if (!summary.lost.empty()) {
    text += "  lost      " + FormatBytes(ToBytes(summary.pages.lost)) + " in " +
            FormatCount(summary.lost.size()) + " ranges\n" + RangeListToText(summary.lost, limit);
  }
  if (!summary.skipped.empty()) {
    text += "  skipped   " + FormatBytes(SizeOf(summary.skipped)) + " in " +
            FormatCount(summary.skipped.size()) + " mappings\n";
    if (all) text += RangeListToText(summary.skipped, limit);
  }
  return text;
}

std::string SkippedWarning(const SaveSummary& summary, SaveFormat format) {
  if (!summary.skipped_much) return {};
  std::map<std::string, Bytes> by_reason;
  for (const RangeReason& range : summary.skipped) by_reason[range.reason] += range.range.size();
  std::string reasons;
  for (const auto& [reason, size] : by_reason) {
    reasons += (reasons.empty() ? "" : ", ") + reason + ": " + FormatBytes(size);
  }
  // The largest first: those are what the user will miss.
  std::vector<RangeReason> largest = summary.skipped;
  std::ranges::stable_sort(largest, std::greater{},
                           [](const RangeReason& range) { return range.range.size(); });
  return "stillframe: warning: more than a tenth of the resident memory is not in the " +
         std::string(FormatName(format)) + " (" + reasons + ")\n" +
         RangeListToText(largest, kShortList) +
         "  hint: --include-dontdump keeps what is marked MADV_DONTDUMP, --filter MASK chooses the "
         "kinds of mappings (see core(5))\n";
}

std::string RangeListToText(const std::vector<RangeReason>& ranges, size_t limit) {
  std::string text;
  for (size_t i = 0; i < std::min(limit, ranges.size()); ++i) {
    text += "    " + FormatRange(ranges[i].range) + "  " + FormatBytes(ranges[i].range.size()) +
            "  " + Printable(ranges[i].reason) + "\n";
  }
  if (ranges.size() > limit) {
    text += "    and " + FormatCount(ranges.size() - limit) + " more\n";
  }
  return text;
}

}  // namespace stillframe
