#include "image/index_builder.h"

#include <algorithm>

#include "base/last_told.h"
#include "image/checksum.h"
#include "image/coverage.h"

namespace stillframe {
namespace {

// The index has one byte for it.
constexpr size_t kMaxReasons = 256;

// Zeros and lost pages have no block, so that two neighbours are as good as one entry.
bool Continues(const WireIndexEntry& a, const WireIndexEntry& b) {
  return a.kind != static_cast<uint8_t>(WireKind::kData) && a.kind == b.kind &&
         a.reason == b.reason && a.end() == b.address;
}

// Where a page of the file stands among all its pages.
size_t PageOfFile(uint64_t file_offset) {
  return static_cast<size_t>((file_offset - kHeaderSize) / kPageSize.count);
}

}  // namespace

void IndexBuilder::AddData(TargetAddress address, std::span<const std::byte> block,
                           uint64_t file_offset, PageSource source) {
  MakeRoom();
  for (size_t at = 0; repeats_ && at < block.size(); at += kPageSize.count) {
    page_checksums_.push_back(Checksum(block.subspan(at, kPageSize.count)));
  }
  entries_.push_back({.address = address.value,
                      .pages = ToPages(Bytes{block.size()}).count,
                      .file_offset = file_offset,
                      .stored_bytes = block.size(),
                      .checksum = Checksum(block),
                      .kind = static_cast<uint8_t>(WireKind::kData),
                      .source = static_cast<uint8_t>(source),
                      .encoding = static_cast<uint8_t>(WireEncoding::kRaw),
                      .reason = 0,
                      .reserved = 0});
}

void IndexBuilder::AddZero(AddressRange range) {
  WireIndexEntry entry{};
  entry.address = range.begin.value;
  entry.pages = range.pages().count;
  entry.kind = static_cast<uint8_t>(WireKind::kZero);
  AddRange(entry);
}

Result<void> IndexBuilder::AddLost(AddressRange range, std::string_view reason) {
  const auto found = std::find(reasons_.begin(), reasons_.end(), reason);
  const auto number = static_cast<size_t>(found - reasons_.begin());
  if (number == kMaxReasons) {
    return Fail(ErrorCode::kInternal, "more than 256 different reasons for lost pages");
  }
  if (found == reasons_.end()) reasons_.emplace_back(reason);
  WireIndexEntry entry{};
  entry.address = range.begin.value;
  entry.pages = range.pages().count;
  entry.kind = static_cast<uint8_t>(WireKind::kLost);
  entry.reason = static_cast<uint8_t>(number);
  AddRange(entry);
  return {};
}

void IndexBuilder::AddRange(const WireIndexEntry& entry) {
  MakeRoom();
  if (!entries_.empty() && Continues(entries_.back(), entry)) {
    entries_.back().pages += entry.pages;
  } else {
    entries_.push_back(entry);
  }
}

void IndexBuilder::MakeRoom() {
  if (!repeats_ || entries_.size() < most_entries_) return;
  SavedMapping everything;
  everything.saved = {TargetAddress{0}, TargetAddress{UINT64_MAX}};
  KeepLast({&everything, 1});
  most_entries_ = std::max(kFewEntries, entries_.size() * 2);
}

Result<void> IndexBuilder::Seal(std::span<const SavedMapping> mappings) {
  if (repeats_) KeepLast(mappings);
  std::ranges::sort(superseded_, {}, &WireSuperseded::file_offset);
  std::sort(entries_.begin(), entries_.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  size_t kept = 0;
  for (const WireIndexEntry& entry : entries_) {
    if (kept > 0 && Continues(entries_[kept - 1], entry)) {
      entries_[kept - 1].pages += entry.pages;
    } else {
      entries_[kept++] = entry;
    }
  }
  entries_.resize(kept);
  std::optional<std::string> wrong = CheckMappings(mappings);
  if (!wrong) wrong = CheckCoverage(entries_, mappings);
  if (wrong) return Fail(ErrorCode::kInternal, "completing the image: " + *wrong);
  return {};
}

void IndexBuilder::KeepLast(std::span<const SavedMapping> mappings) {
  std::vector<AddressRange> told;
  told.reserve(entries_.size());
  for (const WireIndexEntry& entry : entries_) told.push_back({{entry.address}, {entry.end()}});
  std::vector<WireIndexEntry> kept;
  std::vector<bool> used(page_checksums_.size());
  auto mapping = mappings.begin();
  for (const ToldPart& part : LastTold(told)) {
    while (mapping != mappings.end() && mapping->saved.end <= part.range.begin) ++mapping;
    for (auto m = mapping; m != mappings.end() && m->saved.begin < part.range.end; ++m) {
      const AddressRange range = Intersect(part.range, m->saved);
      if (!range.empty()) KeepPart(entries_[part.told], range, &kept, &used);
    }
  }
  NoteSuperseded(entries_, used);
  entries_ = std::move(kept);
}

void IndexBuilder::KeepPart(const WireIndexEntry& entry, AddressRange part,
                            std::vector<WireIndexEntry>* kept, std::vector<bool>* used) const {
  WireIndexEntry piece = entry;
  piece.address = part.begin.value;
  piece.pages = part.pages().count;
  if (entry.kind != static_cast<uint8_t>(WireKind::kData)) {
    kept->push_back(piece);
    return;
  }
  piece.file_offset += part.begin.value - entry.address;
  const size_t first = PageOfFile(piece.file_offset);
  const auto begin = used->begin() + static_cast<ptrdiff_t>(first);
  std::fill(begin, begin + static_cast<ptrdiff_t>(piece.pages), true);
  if (piece.pages == entry.pages) {
    kept->push_back(entry);
    return;
  }
  for (size_t i = 0; i < part.pages().count; ++i) {
    piece.pages = 1;
    piece.stored_bytes = kPageSize.count;
    piece.checksum = page_checksums_[first + i];
    kept->push_back(piece);
    piece.address += kPageSize.count;
    piece.file_offset += kPageSize.count;
  }
}

void IndexBuilder::NoteSuperseded(std::span<const WireIndexEntry> told,
                                  const std::vector<bool>& used) {
  for (const WireIndexEntry& entry : told) {
    if (entry.kind != static_cast<uint8_t>(WireKind::kData)) continue;
    const size_t first = PageOfFile(entry.file_offset);
    const auto begin = used.begin() + static_cast<ptrdiff_t>(first);
    const auto end = begin + static_cast<ptrdiff_t>(entry.pages);
    if (std::find(begin, end, true) == end) {
      superseded_.push_back({entry.file_offset, entry.stored_bytes, entry.checksum});
      continue;
    }
    for (size_t i = 0; i < entry.pages; ++i) {
      if (used[first + i]) continue;
      superseded_.push_back({.file_offset = entry.file_offset + i * kPageSize.count,
                             .stored_bytes = kPageSize.count,
                             .checksum = page_checksums_[first + i]});
    }
  }
}

}  // namespace stillframe
