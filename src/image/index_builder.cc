#include "image/index_builder.h"

#include <algorithm>

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

}  // namespace

void IndexBuilder::AddData(TargetAddress address, Pages pages, uint64_t file_offset,
                           uint64_t checksum, PageSource source) {
  entries_.push_back({.address = address.value,
                      .pages = pages.count,
                      .file_offset = file_offset,
                      .stored_bytes = ToBytes(pages).count,
                      .checksum = checksum,
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
  if (!entries_.empty() && Continues(entries_.back(), entry)) {
    entries_.back().pages += entry.pages;
  } else {
    entries_.push_back(entry);
  }
}

Result<void> IndexBuilder::Seal(std::span<const SavedMapping> mappings) {
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

}  // namespace stillframe
