#include "peer/core/save_note.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>

namespace stillframe {
namespace {

struct TaggedRange {
  AddressRange range;
  SaveNoteKind kind;
  std::string_view reason;
};

// What one line of text, or a C string, can hold of a reason.
std::string_view Shortened(std::string_view reason) {
  return reason.substr(0, std::min(reason.find('\0'), kSaveNoteReasonBytes));
}

bool Continues(const TaggedRange& a, const TaggedRange& b) {
  return a.kind == b.kind && a.reason == b.reason && a.range.end == b.range.begin;
}

// By address, neighbours that are alike put together.
std::vector<TaggedRange> Collect(std::span<const RangeReason> lost,
                                 std::span<const RangeReason> skipped) {
  std::vector<TaggedRange> all;
  for (const RangeReason& range : lost) {
    if (range.range.empty()) continue;
    all.push_back({range.range, SaveNoteKind::kLost, Shortened(range.reason)});
  }
  for (const RangeReason& range : skipped) {
    if (range.range.empty() || range.reason != "unreadable") continue;
    all.push_back({range.range, SaveNoteKind::kUnreadable, range.reason});
  }
  std::ranges::stable_sort(all, {}, [](const TaggedRange& range) { return range.range.begin; });
  size_t kept = 0;
  for (const TaggedRange& range : all) {
    if (kept > 0 && Continues(all[kept - 1], range)) {
      all[kept - 1].range.end = range.range.end;
    } else {
      all[kept++] = range;
    }
  }
  all.resize(kept);
  return all;
}

// Ranges from an image may add up to anything.
void AddTo(uint64_t* sum, Bytes size) {
  if (__builtin_add_overflow(*sum, size.count, sum)) *sum = std::numeric_limits<uint64_t>::max();
}

template <class Struct>
void Append(const Struct& value, std::vector<std::byte>* to) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to->insert(to->end(), bytes.begin(), bytes.end());
}

}  // namespace

std::vector<std::byte> EncodeSaveNote(const ImageMetadata& metadata,
                                      std::span<const RangeReason> lost) {
  const std::vector<TaggedRange> all = Collect(lost, metadata.skipped);
  const auto listed = std::span(all).first(std::min(all.size(), kSaveNoteRanges));
  std::map<std::string_view, uint32_t> numbers;
  std::vector<std::string_view> reasons;
  for (const TaggedRange& range : listed) {
    if (numbers.emplace(range.reason, reasons.size()).second) reasons.push_back(range.reason);
  }
  SaveNoteHeader header{.version = kSaveNoteVersion,
                        .reason_count = static_cast<uint32_t>(reasons.size()),
                        .instant_unix_ns = metadata.instant_unix_ns,
                        .pause_ns = metadata.pause_ns,
                        .lost_bytes = 0,
                        .unreadable_bytes = 0,
                        .range_total = all.size(),
                        .range_count = static_cast<uint32_t>(listed.size()),
                        .reserved = 0};
  for (const TaggedRange& range : all) {
    const bool is_lost = range.kind == SaveNoteKind::kLost;
    AddTo(is_lost ? &header.lost_bytes : &header.unreadable_bytes, range.range.size());
  }
  std::vector<std::byte> note;
  Append(header, &note);
  for (const TaggedRange& range : listed) {
    Append(SaveNoteRange{.begin = range.range.begin.value,
                         .end = range.range.end.value,
                         .kind = static_cast<uint32_t>(range.kind),
                         .reason = numbers.at(range.reason)},
           &note);
  }
  for (const std::string_view reason : reasons) {
    const auto bytes = std::as_bytes(std::span(reason));
    note.insert(note.end(), bytes.begin(), bytes.end());
    note.push_back(std::byte{0});
  }
  return note;
}

}  // namespace stillframe
