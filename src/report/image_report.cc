#include "report/image_report.h"

#include <algorithm>
#include <map>

#include "report/summary_report.h"
#include "report/text.h"

namespace stillframe {
namespace {

constexpr size_t kShortList = 5;

std::string Permissions(const Mapping& mapping) {
  std::string text = "----";
  if (mapping.readable) text[0] = 'r';
  if (mapping.writable) text[1] = 'w';
  if (mapping.executable) text[2] = 'x';
  text[3] = mapping.shared ? 's' : 'p';
  return text;
}

std::string FormatId(std::span<const uint8_t> id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : id) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// argv, a string each.
std::vector<std::string> Arguments(const ByteVector& command_line) {
  std::vector<std::string> arguments;
  std::string current;
  for (const std::byte byte : command_line) {
    if (byte == std::byte{0}) {
      arguments.push_back(std::move(current));
      current.clear();
    } else {
      current += static_cast<char>(byte);
    }
  }
  if (!current.empty()) arguments.push_back(std::move(current));
  return arguments;
}

// Zero and data pages of one mapping are what a user asks for first, so they stand with it.
struct MappingPages {
  Pages data;
  Pages in_parents;  // of `data`
  Pages zero;
  Pages lost;
  Pages freed;
};

MappingPages CountPages(const ImageReader& image, AddressRange range) {
  MappingPages pages;
  for (const ImageRun& run : image.Runs(range)) {
    switch (run.kind) {
      case PageKind::kData:
        pages.data += run.range.pages();
        if (run.depth > 0) pages.in_parents += run.range.pages();
        break;
      case PageKind::kZero:
        pages.zero += run.range.pages();
        break;
      case PageKind::kLost:
        pages.lost += run.range.pages();
        break;
      case PageKind::kFreed:
        pages.freed += run.range.pages();
        break;
    }
  }
  return pages;
}

Json MappingToJson(const ImageReader& image, const SavedMapping& saved) {
  const MappingPages pages = CountPages(image, saved.saved);
  Json object = RangeToJson(saved.mapping.range);
  object["saved"] = RangeToJson(saved.saved);
  object["permissions"] = Permissions(saved.mapping);
  object["name"] = saved.mapping.name;
  object["file_offset"] = saved.mapping.file_offset;
  object["inode"] = saved.mapping.inode;
  object["pages"] = {{"data", pages.data.count},
                     {"in_parent", pages.in_parents.count},
                     {"zero", pages.zero.count},
                     {"lost", pages.lost.count},
                     {"freed", pages.freed.count}};
  return object;
}

Json ThreadsToJson(const ProcessState& process) {
  Json list = Json::array();
  for (const ThreadState& thread : process.threads) {
    list.push_back(
        {{"tid", thread.tid}, {"name", thread.name}, {"registers", !thread.prstatus.empty()}});
  }
  return list;
}

std::string CommandLine(const ProcessState& process) {
  std::string text;
  for (const std::string& argument : Arguments(process.command_line)) {
    text += (text.empty() ? "" : " ") + argument;
  }
  return text.empty() ? process.executable : text;
}

std::string ThreadsToText(const ProcessState& process, bool all) {
  std::string text = "  threads   " + FormatCount(process.threads.size()) + ":";
  const size_t shown = all ? process.threads.size() : std::min(kShortList, process.threads.size());
  for (size_t i = 0; i < shown; ++i) {
    text += " " + std::to_string(process.threads[i].tid) + " (" +
            Printable(process.threads[i].name) + ")";
  }
  return text + (shown < process.threads.size() ? " ...\n" : "\n");
}

std::string PagesToText(const ImageReader& image, const SavedMapping& saved) {
  if (saved.saved.empty()) return "not saved";
  const MappingPages pages = CountPages(image, saved.saved);
  std::string text =
      FormatCount(pages.data.count) + " data, " + FormatCount(pages.zero.count) + " zero";
  if (pages.lost.count > 0) text += ", " + FormatCount(pages.lost.count) + " lost";
  if (pages.freed.count > 0) text += ", " + FormatCount(pages.freed.count) + " freed";
  if (saved.saved != saved.mapping.range) text += ", only " + FormatRange(saved.saved);
  return text;
}

Json ChainToJson(const ImageReader& image) {
  Json list = Json::array();
  for (const ChainFile& file : image.chain()) {
    list.push_back({{"image", file.path},
                    {"id", FormatId(file.id)},
                    {"format_version", file.format_version},
                    {"image_bytes", file.size.count},
                    {"stored_bytes", file.stored.count},
                    {"pages", file.pages.count},
                    {"in_parent", file.in_parent.count},
                    {"freed", file.freed.count},
                    {"hashes", file.has_hashes}});
  }
  return list;
}

std::string ChainFileToText(const ChainFile& file) {
  std::string text = "    " + FormatId(file.id) + "  " + FormatCount(file.pages.count) +
                     " pages in " + FormatBytes(file.stored);
  if (file.in_parent.count > 0) {
    text += ", " + FormatCount(file.in_parent.count) + " in its parent";
  }
  if (file.freed.count > 0) text += ", " + FormatCount(file.freed.count) + " freed";
  return text + "  " + Printable(file.path) + "\n";
}

// An image that stands alone needs no list.
std::string ChainToText(const ImageReader& image) {
  const std::span<const ChainFile> chain = image.chain();
  if (chain.size() < 2 && (chain.empty() || chain.front().freed.count == 0)) return "";
  std::string text = "  chain     " + FormatCount(chain.size()) + "\n";
  for (const ChainFile& file : chain) text += ChainFileToText(file);
  return text;
}

std::string MappingToText(const ImageReader& image, const SavedMapping& saved) {
  std::string text = "    " + FormatRange(saved.mapping.range) + " " + Permissions(saved.mapping) +
                     "  " + FormatBytes(saved.mapping.range.size()) + ": " +
                     PagesToText(image, saved);
  if (!saved.mapping.name.empty()) text += "  " + Printable(saved.mapping.name);
  return text + "\n";
}

// Most of those that are left out are parts of program files: listed only when all is asked for.
std::string MappingsToText(const ImageReader& image, bool all) {
  const std::vector<SavedMapping>& mappings = image.metadata().mappings;
  const size_t saved = CountSaved(image.metadata());
  std::string text = "  mappings  " + FormatCount(saved);
  if (saved < mappings.size()) {
    text += " saved, " + FormatCount(mappings.size() - saved) + " not saved";
  }
  text += "\n";
  for (const SavedMapping& mapping : mappings) {
    if (all || !mapping.saved.empty()) text += MappingToText(image, mapping);
  }
  return text;
}

}  // namespace

Pages PagesOf(const ImageMetadata& metadata) {
  Pages pages;
  for (const SavedMapping& mapping : metadata.mappings) pages += mapping.saved.pages();
  return pages;
}

size_t CountSaved(const ImageMetadata& metadata) {
  return static_cast<size_t>(std::ranges::count_if(
      metadata.mappings, [](const SavedMapping& mapping) { return !mapping.saved.empty(); }));
}

Json ImageToJson(const ImageReader& image, std::string_view path) {
  const ImageMetadata& metadata = image.metadata();
  const SinkCounters counters = image.counters();
  Json report = JsonReport("info");
  report["image"] = path;
  report["format_version"] = image.format_version();
  report["id"] = FormatId(image.id());
  report["image_bytes"] = image.file_size().count;
  report["memory_bytes"] = ToBytes(PagesOf(metadata)).count;
  report["pid"] = metadata.process.pid;
  report["executable"] = metadata.process.executable;
  report["command_line"] = Arguments(metadata.process.command_line);
  report["host"] = metadata.host;
  report["kernel"] = metadata.kernel;
  report["instant_unix_ns"] = metadata.instant_unix_ns;
  report["instant"] = FormatTime(metadata.instant_unix_ns);
  report["pause_us"] = metadata.pause_ns / 1000;
  report["filter"] = metadata.filter;
  report["pages"] = {{"total", PagesOf(metadata).count},  {"zero", counters.zero.count},
                     {"scanned", counters.scanned.count}, {"faulted", counters.faulted.count},
                     {"paused", counters.paused.count},   {"lost", counters.lost.count}};
  report["chain"] = ChainToJson(image);
  report["threads"] = ThreadsToJson(metadata.process);
  Json mappings = Json::array();
  for (const SavedMapping& mapping : metadata.mappings) {
    mappings.push_back(MappingToJson(image, mapping));
  }
  report["mappings"] = std::move(mappings);
  report["skipped"] = RangesToJson(metadata.skipped);
  report["lost"] = RangesToJson(LostRanges(image));
  return report;
}

std::string ImageToText(const ImageReader& image, std::string_view path, bool all) {
  const ImageMetadata& metadata = image.metadata();
  const SinkCounters counters = image.counters();
  std::string text = Printable(path) + ": image of format version " +
                     std::to_string(image.format_version()) + ", " +
                     FormatBytes(image.file_size()) + ", id " + FormatId(image.id()) + "\n";
  text += "  target    process " + std::to_string(metadata.process.pid) + " on " +
          Printable(metadata.host) + " (Linux " + Printable(metadata.kernel) +
          "): " + Printable(CommandLine(metadata.process)) + "\n";
  text += "  instant   " + FormatTime(metadata.instant_unix_ns) + ", pause " +
          FormatDuration(
              Duration(static_cast<int64_t>(std::min<uint64_t>(metadata.pause_ns, INT64_MAX)))) +
          "\n";
  text += ThreadsToText(metadata.process, all);
  text += "  pages     " + FormatCount(PagesOf(metadata).count) + " (" +
          FormatBytes(ToBytes(PagesOf(metadata))) + "): " + FormatCount(counters.zero.count) +
          " zero, " + FormatCount(counters.scanned.count) + " scanned, " +
          FormatCount(counters.faulted.count) + " faulted, " + FormatCount(counters.paused.count) +
          " paused, " + FormatCount(counters.lost.count) + " lost\n";
  text += ChainToText(image);
  text += MappingsToText(image, all);
  const size_t limit = all ? SIZE_MAX : kShortList;
  const std::vector<RangeReason> lost = LostRanges(image);
  text += "  skipped   " + FormatCount(metadata.skipped.size()) + "\n" +
          RangeListToText(metadata.skipped, limit);
  text += "  lost      " + FormatCount(lost.size()) + "\n" + RangeListToText(lost, limit);
  return text;
}

}  // namespace stillframe
