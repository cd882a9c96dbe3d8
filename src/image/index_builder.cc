#include "image/index_builder.h"

#include <algorithm>

#include "base/last_told.h"
#include "image/coverage.h"

namespace stillframe {
namespace {

// The index has one byte for it.
constexpr size_t kMaxReasons = 256;

bool IsData(const WireIndexEntry& entry) {
  return entry.kind == static_cast<uint8_t>(WireKind::kData);
}

// What has no block is as good as one entry with its neighbour.
bool Continues(const WireIndexEntry& a, const WireIndexEntry& b) {
  return !IsData(a) && a.kind == b.kind && a.reason == b.reason && a.end() == b.address;
}

}  // namespace

void IndexBuilder::AddData(uint64_t turn, AddressRange range, PageSource source,
                           const StoredBlock& block, std::span<const PageHash> hashes) {
  MakeRoom();
  const uint64_t pages = range.pages().count;
  WireIndexEntry entry{};
  entry.address = range.begin.value;
  entry.pages = pages;
  entry.file_offset = block.file_offset;
  entry.stored_bytes = block.stored_bytes;
  entry.checksum = block.checksum;
  entry.kind = static_cast<uint8_t>(WireKind::kData);
  entry.source = static_cast<uint8_t>(source);
  entry.encoding = static_cast<uint8_t>(block.encoding);
  if (version_ > kPlainVersion) entry.block_pages = static_cast<uint16_t>(pages);
  told_.push_back({.entry = entry, .turn = turn, .first_page = pages_});
  if (repeats_) blocks_.push_back({.stored = block, .first_page = pages_, .pages = pages});
  hashes_.insert(hashes_.end(), hashes.begin(), hashes.end());
  pages_ += pages;
}

void IndexBuilder::AddZero(uint64_t turn, AddressRange range) {
  AddRange(turn, range, WireKind::kZero);
}

void IndexBuilder::AddInParent(uint64_t turn, AddressRange range) {
  AddRange(turn, range, WireKind::kInParent);
}

Result<void> IndexBuilder::AddLost(uint64_t turn, AddressRange range, std::string_view reason) {
  const auto found = std::find(reasons_.begin(), reasons_.end(), reason);
  const auto number = static_cast<size_t>(found - reasons_.begin());
  if (number == kMaxReasons) {
    return Fail(ErrorCode::kInternal, "more than 256 different reasons for lost pages");
  }
  if (found == reasons_.end()) reasons_.emplace_back(reason);
  AddRange(turn, range, WireKind::kLost, static_cast<uint8_t>(number));
  return {};
}

void IndexBuilder::AddRange(uint64_t turn, AddressRange range, WireKind kind, uint8_t reason) {
  MakeRoom();
  WireIndexEntry entry{};
  entry.address = range.begin.value;
  entry.pages = range.pages().count;
  entry.kind = static_cast<uint8_t>(kind);
  entry.reason = reason;
  // What comes out of turn in between would be before the one and behind the other.
  const bool in_turn = !told_.empty() && turn - told_.back().turn <= 1;
  if (in_turn && Continues(told_.back().entry, entry)) {
    told_.back().entry.pages += entry.pages;
    told_.back().turn = turn;
  } else {
    told_.push_back({.entry = entry, .turn = turn, .first_page = 0});
  }
}

void IndexBuilder::MakeRoom() {
  if (!repeats_ || told_.size() < most_told_) return;
  SavedMapping everything;
  everything.saved = {TargetAddress{0}, TargetAddress{UINT64_MAX}};
  KeepLast({&everything, 1});
  most_told_ = std::max(kFewEntries, told_.size() * 2);
}

Result<void> IndexBuilder::Seal(std::span<const SavedMapping> mappings) {
  if (repeats_) KeepLast(mappings);
  std::ranges::sort(told_, {}, [](const Told& told) { return told.entry.address; });
  size_t kept = 0;
  for (const Told& told : told_) {
    if (kept > 0 && Continues(told_[kept - 1].entry, told.entry)) {
      told_[kept - 1].entry.pages += told.entry.pages;
    } else {
      told_[kept++] = told;
    }
  }
  told_.resize(kept);
  entries_.reserve(kept);
  for (const Told& told : told_) entries_.push_back(told.entry);
  FindSuperseded();
  std::optional<std::string> wrong = CheckMappings(mappings);
  if (!wrong) wrong = CheckCoverage(entries_, mappings);
  if (wrong) return Fail(ErrorCode::kInternal, "completing the image: " + *wrong);
  return {};
}

void IndexBuilder::KeepLast(std::span<const SavedMapping> mappings) {
  std::ranges::stable_sort(told_, {}, &Told::turn);
  std::vector<AddressRange> ranges;
  ranges.reserve(told_.size());
  for (const Told& told : told_) ranges.push_back(RangeOf(told));
  std::vector<Told> kept;
  auto mapping = mappings.begin();
  for (const ToldPart& part : LastTold(ranges)) {
    while (mapping != mappings.end() && mapping->saved.end <= part.range.begin) ++mapping;
    for (auto m = mapping; m != mappings.end() && m->saved.begin < part.range.end; ++m) {
      const AddressRange range = Intersect(part.range, m->saved);
      if (!range.empty()) KeepPart(told_[part.told], range, &kept);
    }
  }
  told_ = std::move(kept);
}

void IndexBuilder::KeepPart(const Told& told, AddressRange part, std::vector<Told>* kept) const {
  const bool whole = part == RangeOf(told);
  if (whole || (IsData(told.entry) && version_ == kPlainVersion)) {
    whole ? kept->push_back(told) : KeepPages(told, part, kept);
    return;
  }
  Told piece = told;
  piece.entry.address = part.begin.value;
  piece.entry.pages = part.pages().count;
  if (IsData(told.entry)) {
    const uint64_t skipped = ToPages(part.begin - RangeOf(told).begin).count;
    piece.entry.first_page = static_cast<uint16_t>(piece.entry.first_page + skipped);
    piece.first_page += skipped;
  }
  kept->push_back(piece);
}

void IndexBuilder::KeepPages(const Told& told, AddressRange part, std::vector<Told>* kept) const {
  for (TargetAddress at = part.begin; at < part.end; at = at + kPageSize) {
    const Bytes skipped = at - RangeOf(told).begin;
    Told page = told;
    page.first_page += ToPages(skipped).count;
    page.entry.address = at.value;
    page.entry.pages = 1;
    page.entry.file_offset += skipped.count;
    page.entry.stored_bytes = kPageSize.count;
    page.entry.checksum = hashes_[page.first_page].low;
    kept->push_back(page);
  }
}

void IndexBuilder::FindSuperseded() {
  std::vector<bool> used(repeats_ ? pages_ : 0);
  const auto at = [&used](uint64_t page) { return used.begin() + static_cast<ptrdiff_t>(page); };
  for (const Told& told : told_) {
    if (!repeats_ || !IsData(told.entry)) continue;
    std::fill(at(told.first_page), at(told.first_page + told.entry.pages), true);
  }
  for (const Block& block : blocks_) {
    const auto end = at(block.first_page + block.pages);
    if (std::find(at(block.first_page), end, true) == end) {
      superseded_.push_back({.file_offset = block.stored.file_offset,
                             .stored_bytes = block.stored.stored_bytes,
                             .checksum = block.stored.checksum});
      continue;
    }
    for (uint64_t i = 0; version_ == kPlainVersion && i < block.pages; ++i) {
      if (used[block.first_page + i]) continue;
      superseded_.push_back({.file_offset = block.stored.file_offset + i * kPageSize.count,
                             .stored_bytes = kPageSize.count,
                             .checksum = hashes_[block.first_page + i].low});
    }
  }
}

Result<void> IndexBuilder::ForEachHash(
    const std::function<Result<void>(std::span<const PageHash>)>& take) const {
  for (const Told& told : told_) {
    if (!IsData(told.entry)) continue;
    STILLFRAME_TRY(take(std::span(hashes_).subspan(told.first_page, told.entry.pages)));
  }
  return {};
}

}  // namespace stillframe
