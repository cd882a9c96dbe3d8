#include "report/conversion_report.h"

#include "report/image_report.h"
#include "report/save_format.h"
#include "report/summary_report.h"
#include "report/text.h"

namespace stillframe {
namespace {

constexpr size_t kShortList = 5;

}  // namespace

ConvertedCore ConvertedOf(const ImageReader& image, const SinkCounters& pages) {
  const ImageMetadata& metadata = image.metadata();
  return {.pid = metadata.process.pid,
          .instant_unix_ns = metadata.instant_unix_ns,
          .memory = ToBytes(PagesOf(metadata)),
          .pages = pages,
          .skipped = metadata.skipped,
          .lost = LostRanges(image)};
}

Json ConvertedToJson(const ConvertedCore& core, std::string_view from, std::string_view output) {
  const SinkCounters& pages = core.pages;
  Json report = JsonReport(VerbOf(SaveFormat::kCore));
  report["pid"] = core.pid;
  report["image"] = output;
  report["format"] = FormatName(SaveFormat::kCore);
  report["from"] = from;
  report["instant_unix_ns"] = core.instant_unix_ns;
  report["memory_bytes"] = core.memory.count;
  report["image_bytes"] = pages.written.count;
  report["pages"] = {{"total", ToPages(core.memory).count}, {"zero", pages.zero.count},
                     {"scanned", pages.scanned.count},      {"faulted", pages.faulted.count},
                     {"paused", pages.paused.count},        {"lost", pages.lost.count}};
  report["skipped"] = RangesToJson(core.skipped);
  report["lost"] = RangesToJson(core.lost);
  return report;
}

std::string ConvertedToText(const ConvertedCore& core, std::string_view from,
                            std::string_view output, bool all) {
  const SinkCounters& pages = core.pages;
  const Pages data = pages.scanned + pages.faulted + pages.paused;
  std::string text = "core of process " + std::to_string(core.pid) + " written to " +
                     Printable(output) + " from " + Printable(from) + "\n";
  text += "  instant   " + FormatTime(core.instant_unix_ns) + "\n";
  text += "  pages     " + FormatCount(ToPages(core.memory).count) + ": " +
          FormatCount(pages.zero.count) + " zero, " + FormatCount(data.count) + " data, " +
          FormatCount(pages.lost.count) + " lost\n";
  text += "  sizes     memory " + FormatBytes(core.memory) + ", core " +
          FormatBytes(pages.written) + "\n";
  const size_t limit = all ? SIZE_MAX : kShortList;
  if (!core.lost.empty()) {
    text += "  lost      " + FormatBytes(ToBytes(pages.lost)) + " in " +
            FormatCount(core.lost.size()) + " ranges\n" + RangeListToText(core.lost, limit);
  }
  if (all && !core.skipped.empty()) {
    text += "  skipped   " + FormatCount(core.skipped.size()) + "\n" +
            RangeListToText(core.skipped, limit);
  }
  return text;
}

}  // namespace stillframe
