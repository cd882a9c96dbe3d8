#include "report/conversion_report.h"

#include "report/image_report.h"
#include "report/save_format.h"
#include "report/summary_report.h"
#include "report/text.h"

namespace stillframe {
namespace {

constexpr size_t kShortList = 5;

}  // namespace

std::string_view ConversionVerb(SaveFormat format) {
  return format == SaveFormat::kCore ? VerbOf(format) : "merge";
}

ConvertedImage ConvertedOf(const ImageReader& image, SaveFormat format, const SinkCounters& pages) {
  const ImageMetadata& metadata = image.metadata();
  return {.format = format,
          .pid = metadata.process.pid,
          .instant_unix_ns = metadata.instant_unix_ns,
          .memory = ToBytes(PagesOf(metadata)),
          .pages = pages,
          .skipped = metadata.skipped,
          .lost = LostRanges(image)};
}

Json ConvertedToJson(const ConvertedImage& converted, std::string_view from,
                     std::string_view output) {
  const SinkCounters& pages = converted.pages;
  Json report = JsonReport(ConversionVerb(converted.format));
  report["pid"] = converted.pid;
  report["image"] = output;
  report["format"] = FormatName(converted.format);
  report["from"] = from;
  report["instant_unix_ns"] = converted.instant_unix_ns;
  report["memory_bytes"] = converted.memory.count;
  report["image_bytes"] = pages.written.count;
  report["pages"] = {{"total", ToPages(converted.memory).count},
                     {"zero", pages.zero.count},
                     {"scanned", pages.scanned.count},
                     {"faulted", pages.faulted.count},
                     {"paused", pages.paused.count},
                     {"lost", pages.lost.count}};
  report["skipped"] = RangesToJson(converted.skipped);
  report["lost"] = RangesToJson(converted.lost);
  return report;
}

std::string ConvertedToText(const ConvertedImage& converted, std::string_view from,
                            std::string_view output, bool all) {
  const SinkCounters& pages = converted.pages;
  const Pages data = pages.scanned + pages.faulted + pages.paused;
  const std::string what(FormatName(converted.format));
  std::string text = what + " of process " + std::to_string(converted.pid) + " written to " +
                     Printable(output) + " from " + Printable(from) + "\n";
  text += "  instant   " + FormatTime(converted.instant_unix_ns) + "\n";
  text += "  pages     " + FormatCount(ToPages(converted.memory).count) + ": " +
          FormatCount(pages.zero.count) + " zero, " + FormatCount(data.count) + " data, " +
          FormatCount(pages.lost.count) + " lost\n";
  text += "  sizes     memory " + FormatBytes(converted.memory) + ", " + what + " " +
          FormatBytes(pages.written) + "\n";
  const size_t limit = all ? SIZE_MAX : kShortList;
  if (!converted.lost.empty()) {
    text += "  lost      " + FormatBytes(ToBytes(pages.lost)) + " in " +
            FormatCount(converted.lost.size()) + " ranges\n" +
            RangeListToText(converted.lost, limit);
  }
  if (all && !converted.skipped.empty()) {
    text += "  skipped   " + FormatCount(converted.skipped.size()) + "\n" +
            RangeListToText(converted.skipped, limit);
  }
  return text;
}

}  // namespace stillframe
