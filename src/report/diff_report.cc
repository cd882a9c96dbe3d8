#include "report/diff_report.h"

#include <algorithm>
#include <utility>

#include "report/text.h"

namespace stillframe {
namespace {

// A part of a different range that lies in one mapping.
struct NamedRange {
  AddressRange range;
  Difference difference;
  std::string_view name;
};

const Mapping* FindMapping(const ImageReader& image, TargetAddress address) {
  const std::vector<SavedMapping>& mappings = image.metadata().mappings;
  const auto found = std::ranges::upper_bound(
      mappings, address, {}, [](const SavedMapping& saved) { return saved.mapping.range.end; });
  const bool there = found != mappings.end() && found->mapping.range.Contains(address);
  return there ? &found->mapping : nullptr;
}

// By the mappings of B, which is the later one as a rule; of A where B has none.
std::vector<NamedRange> NameRanges(const ImageDiff& diff, const DiffedImages& images) {
  std::vector<NamedRange> named;
  for (const DifferentRange& different : diff.ranges) {
    const bool only_a = different.difference == Difference::kOnlyA;
    const ImageReader& image = only_a ? images.a : images.b;
    for (TargetAddress at = different.range.begin; at < different.range.end;) {
      const Mapping* const mapping = FindMapping(image, at);
      const TargetAddress end =
          mapping ? std::min(mapping->range.end, different.range.end) : different.range.end;
      named.push_back(
          {{at, end}, different.difference, mapping ? std::string_view(mapping->name) : ""});
      at = end;
    }
  }
  return named;
}

std::string_view Words(Difference difference) {
  switch (difference) {
    case Difference::kOnlyA:
      return "only in A";
    case Difference::kOnlyB:
      return "only in B";
    default:
      return DifferenceName(difference);
  }
}

std::string PagesText(const ImageDiff& diff) {
  return FormatCount(diff.equal.count) + " equal, " + FormatCount(diff.changed.count) +
         " changed, " + FormatCount(diff.only_a.count) + " only in A, " +
         FormatCount(diff.only_b.count) + " only in B, " + FormatCount(diff.lost.count) + " lost";
}

std::string ImageText(const ImageReader& image, std::string_view path) {
  const ImageMetadata& metadata = image.metadata();
  return Printable(path) + ", process " + std::to_string(metadata.process.pid) + " on " +
         Printable(metadata.host) + ", " + FormatTime(metadata.instant_unix_ns);
}

Json ImageToJson(const ImageReader& image, std::string_view path) {
  const ImageMetadata& metadata = image.metadata();
  return {{"image", path},
          {"pid", metadata.process.pid},
          {"instant_unix_ns", metadata.instant_unix_ns},
          {"instant", FormatTime(metadata.instant_unix_ns)}};
}

// Parts of `range` that none of `mappings` saves.
void AddUncovered(const SavedMapping& saved, const std::vector<SavedMapping>& mappings,
                  std::vector<SavedMapping>* to) {
  TargetAddress at = saved.saved.begin;
  const auto add = [&](TargetAddress end) {
    if (at < end) to->push_back({saved.mapping, {at, end}});
  };
  auto other =
      std::ranges::upper_bound(mappings, at, {}, [](const SavedMapping& m) { return m.saved.end; });
  for (; other != mappings.end() && other->saved.begin < saved.saved.end; ++other) {
    if (other->saved.empty()) continue;
    add(std::min(other->saved.begin, saved.saved.end));
    at = std::max(at, other->saved.end);
  }
  add(saved.saved.end);
}

// What is saved in either of them, by address.
std::vector<SavedMapping> AllMappings(const DiffedImages& images) {
  const std::vector<SavedMapping>& of_b = images.b.metadata().mappings;
  std::vector<SavedMapping> all = of_b;
  for (const SavedMapping& saved : images.a.metadata().mappings) AddUncovered(saved, of_b, &all);
  std::ranges::sort(all, {}, [](const SavedMapping& saved) { return saved.saved.begin; });
  return all;
}

HtmlPageKind KindOf(Difference difference) {
  switch (difference) {
    case Difference::kChanged:
      return HtmlPageKind::kFaulted;
    case Difference::kOnlyA:
      return HtmlPageKind::kPaused;
    case Difference::kOnlyB:
      return HtmlPageKind::kScanned;
    case Difference::kLost:
      break;
  }
  return HtmlPageKind::kLost;
}

// All pages of the mapping, those that are equal too. `next`: the first range that ends behind its
// begin, which moves on.
void AddRanges(AddressRange mapping, std::vector<DifferentRange>::const_iterator* next,
               std::vector<DifferentRange>::const_iterator end, std::vector<HtmlPageRange>* to) {
  TargetAddress at = mapping.begin;
  while (*next != end && (*next)->range.end <= at) ++*next;
  for (auto range = *next; range != end && range->range.begin < mapping.end; ++range) {
    const AddressRange part = Intersect(range->range, mapping);
    if (at < part.begin) to->push_back({{at, part.begin}, HtmlPageKind::kZero});
    to->push_back({part, KindOf(range->difference)});
    at = part.end;
  }
  if (at < mapping.end) to->push_back({{at, mapping.end}, HtmlPageKind::kZero});
}

HtmlMemoryMap MakeMap(const ImageDiff& diff, const DiffedImages& images) {
  const std::vector<SavedMapping> mappings = AllMappings(images);
  std::vector<HtmlPageRange> ranges;
  auto next = diff.ranges.begin();
  for (const SavedMapping& saved : mappings) {
    AddRanges(saved.saved, &next, diff.ranges.end(), &ranges);
  }
  HtmlMemoryMap map = MakeHtmlMemoryMap(mappings, ranges);
  map.kinds = {{"equal", "equal"},
               {"only in B", "only in B"},
               {"changed", "changed: in both, with other bytes"},
               {"only in A", "only in A"},
               {"lost", "lost in one of them or in both"}};
  map.unremarkable = "mapping without a difference";
  return map;
}

}  // namespace

Json DiffToJson(const ImageDiff& diff, const DiffedImages& images) {
  Json report = JsonReport("diff");
  report["a"] = ImageToJson(images.a, images.a_path);
  report["b"] = ImageToJson(images.b, images.b_path);
  report["pages"] = {{"equal", diff.equal.count},
                     {"changed", diff.changed.count},
                     {"only_a", diff.only_a.count},
                     {"only_b", diff.only_b.count},
                     {"lost", diff.lost.count}};
  report["compared"] = {{"same_block", diff.same_block.count},
                        {"by_hash", diff.by_hash.count},
                        {"by_bytes", diff.by_bytes.count}};
  report["ranges"] = Json::array();
  for (const NamedRange& range : NameRanges(diff, images)) {
    Json entry = RangeToJson(range.range);
    entry["difference"] = DifferenceName(range.difference);
    entry["mapping"] = range.name;
    report["ranges"].push_back(std::move(entry));
  }
  return report;
}

std::string DiffToText(const ImageDiff& diff, const DiffedImages& images) {
  const std::vector<NamedRange> ranges = NameRanges(diff, images);
  std::string text = "A " + ImageText(images.a, images.a_path) + "\nB " +
                     ImageText(images.b, images.b_path) + "\n  pages     " + PagesText(diff) +
                     "\n  ranges    " + FormatCount(ranges.size()) + "\n";
  for (const NamedRange& range : ranges) {
    text += "    " + FormatRange(range.range) + "  " + FormatBytes(range.range.size()) + "  " +
            std::string(Words(range.difference));
    if (!range.name.empty()) text += "  " + Printable(range.name);
    text += "\n";
  }
  return text;
}

HtmlReport MakeHtmlDiffReport(const ImageDiff& diff, const DiffedImages& images,
                              std::vector<HtmlFact> facts) {
  HtmlReport report;
  report.title = "What differs between two images";
  report.lead = "Each page of A beside the page of B at the same address.";
  report.facts = {{"A", ImageText(images.a, images.a_path)},
                  {"B", ImageText(images.b, images.b_path)},
                  {"Pages", PagesText(diff)}};
  std::ranges::move(facts, std::back_inserter(report.facts));
  HtmlPanel panel{.name = "diff", .note = {}, .latency_title = {}};
  panel.memory = MakeMap(diff, images);
  report.panels.push_back(std::move(panel));
  return report;
}

}  // namespace stillframe
