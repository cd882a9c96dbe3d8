#include "report/dedup_report.h"

#include "report/text.h"

namespace stillframe {

Json DedupToJson(const DedupReport& report, std::string_view directory, bool dry_run) {
  Json json = JsonReport("dedup");
  json["directory"] = directory;
  json["dry_run"] = dry_run;
  json["images"] = report.images;
  json["ends"] = report.ends;
  json["deduped"] = Json::array();
  for (const DedupedImage& image : report.deduped) {
    json["deduped"].push_back({{"image", image.path},
                               {"freed_pages", image.freed.count},
                               {"freed_before_pages", image.freed_before.count},
                               {"given_back_bytes", image.given_back.count}});
  }
  return json;
}

std::string DedupToText(const DedupReport& report, std::string_view directory, bool dry_run) {
  Pages freed;
  Bytes given_back;
  for (const DedupedImage& image : report.deduped) {
    freed += image.freed;
    given_back += image.given_back;
  }
  std::string text = Printable(directory) + ": " + FormatCount(report.images) + " images, " +
                     FormatCount(report.ends) + " of them nobody's parent\n";
  text += std::string("  ") + (dry_run ? "to free   " : "freed     ") + FormatCount(freed.count) +
          " pages";
  if (!dry_run) text += ", " + FormatBytes(given_back) + " given back";
  text += "\n";
  for (const DedupedImage& image : report.deduped) {
    text += "    " + Printable(image.path) + "  " + FormatCount(image.freed.count) + " pages";
    if (image.freed_before.count > 0) {
      text += ", " + FormatCount(image.freed_before.count) + " before";
    }
    text += "\n";
  }
  return text;
}

}  // namespace stillframe
