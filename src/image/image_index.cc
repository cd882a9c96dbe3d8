#include "image/image_index.h"

#include <algorithm>
#include <limits>

#include "image/coverage.h"
#include "stillframe/page_sink.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr size_t kPieceEntries = 4096;

bool Is(const WireIndexEntry& entry, WireKind kind) {
  return entry.kind == static_cast<uint8_t>(kind);
}

bool IsWithin(const WireIndexEntry& block, uint64_t data_end) {
  return block.pages <= kMaxBlockPages && block.stored_bytes == block.pages * kPage &&
         block.file_offset >= kHeaderSize && block.file_offset % kPage == 0 &&
         block.file_offset <= data_end && block.stored_bytes <= data_end - block.file_offset;
}

bool IsGoodBlock(const WireIndexEntry& entry, uint64_t data_end) {
  return IsWithin(entry, data_end) && entry.encoding == static_cast<uint8_t>(WireEncoding::kRaw) &&
         entry.source >= static_cast<uint8_t>(PageSource::kScanned) &&
         entry.source <= static_cast<uint8_t>(PageSource::kPaused) && entry.reason == 0;
}

bool HasNoBlock(const WireIndexEntry& entry) {
  return entry.file_offset == 0 && entry.stored_bytes == 0 && entry.checksum == 0 &&
         entry.source == 0 && entry.encoding == 0;
}

// Reads the records that fill `section` in pieces and hands on each until one is refused.
template <WireStruct Record, class Take>
Result<void> ForEachRecord(const ImageFile& file, const WireSection& section,
                           const std::string& name, Take take) {
  if (section.length % sizeof(Record) != 0) {
    return file.Damaged(name + " is not a whole number of entries");
  }
  uint64_t left = section.length / sizeof(Record);
  std::vector<Record> piece(static_cast<size_t>(std::min<uint64_t>(left, kPieceEntries)));
  for (uint64_t offset = section.offset; left > 0;) {
    const std::span records(piece.data(),
                            static_cast<size_t>(std::min<uint64_t>(left, piece.size())));
    STILLFRAME_TRY(file.ReadAt(offset, std::as_writable_bytes(records)));
    for (const Record& record : records) STILLFRAME_TRY(take(record));
    offset += records.size_bytes();
    left -= records.size();
  }
  return {};
}

}  // namespace

Result<ImageIndex> ImageIndex::Load(const ImageFile& file, const WireSection& section,
                                    const WireSection* superseded, uint64_t data_end,
                                    std::vector<std::string> reasons) {
  ImageIndex index;
  index.reasons_ = std::move(reasons);
  STILLFRAME_TRY(index.LoadEntries(file, section, data_end));
  if (superseded != nullptr) {
    STILLFRAME_TRY(index.LoadSuperseded(file, *superseded, data_end));
  }
  if (const auto wrong = index.CheckBlocks(data_end)) return file.Damaged(*wrong);
  return index;
}

Result<void> ImageIndex::LoadEntries(const ImageFile& file, const WireSection& section,
                                     uint64_t data_end) {
  return ForEachRecord<WireIndexEntry>(
      file, section, "its index", [&](const WireIndexEntry& entry) -> Result<void> {
        if (const auto wrong = Check(entry, data_end)) {
          return file.Damaged("entry " + std::to_string(entries_.size()) + " of its index " +
                              *wrong);
        }
        entries_.push_back(entry);
        return {};
      });
}

Result<void> ImageIndex::LoadSuperseded(const ImageFile& file, const WireSection& section,
                                        uint64_t data_end) {
  return ForEachRecord<WireSuperseded>(
      file, section, "its list of superseded blocks",
      [&](const WireSuperseded& record) -> Result<void> {
        WireIndexEntry block{};
        block.pages = record.stored_bytes / kPage;
        block.file_offset = record.file_offset;
        block.stored_bytes = record.stored_bytes;
        block.checksum = record.checksum;
        const bool in_order =
            superseded_.empty() || superseded_.back().file_offset < block.file_offset;
        if (!in_order || block.pages == 0 || !IsWithin(block, data_end)) {
          return file.Damaged("superseded block " + std::to_string(superseded_.size()) +
                              " is out of order, or can't be");
        }
        superseded_.push_back(block);
        return {};
      });
}

std::optional<std::string> ImageIndex::Check(const WireIndexEntry& entry, uint64_t data_end) const {
  if (entry.address % kPage != 0 || entry.pages == 0 ||
      entry.pages > (std::numeric_limits<uint64_t>::max() - entry.address) / kPage) {
    return "is not a range of pages";
  }
  if (!entries_.empty() && entry.address < entries_.back().end()) {
    return "overlaps the one before it, or is out of order";
  }
  if (entry.reserved != 0) return "has a reserved field that is not zero";
  if (Is(entry, WireKind::kData)) {
    if (IsGoodBlock(entry, data_end)) return std::nullopt;
    return "points to a block that can't be";
  }
  if (!HasNoBlock(entry)) return "points to a block that it can't have";
  if (Is(entry, WireKind::kZero) && entry.reason == 0) return std::nullopt;
  if (Is(entry, WireKind::kLost) && entry.reason < reasons_.size()) return std::nullopt;
  return "is of no known kind, or has no such reason";
}

std::vector<const WireIndexEntry*> ImageIndex::Blocks() const {
  std::vector<const WireIndexEntry*> blocks;
  for (const WireIndexEntry& entry : entries_) {
    if (Is(entry, WireKind::kData)) blocks.push_back(&entry);
  }
  for (const WireIndexEntry& block : superseded_) blocks.push_back(&block);
  std::sort(blocks.begin(), blocks.end(),
            [](const auto* a, const auto* b) { return a->file_offset < b->file_offset; });
  return blocks;
}

std::optional<std::string> ImageIndex::CheckBlocks(uint64_t data_end) const {
  uint64_t at = kHeaderSize;
  for (const WireIndexEntry* block : Blocks()) {
    if (block->file_offset < at)
      return "two blocks overlap at offset " + std::to_string(block->file_offset);
    if (block->file_offset > at) return "no page uses the bytes at offset " + std::to_string(at);
    at += block->stored_bytes;
  }
  if (at != data_end) return "no page uses the bytes at offset " + std::to_string(at);
  return std::nullopt;
}

std::span<const WireIndexEntry> ImageIndex::From(TargetAddress address) const {
  const auto first = std::partition_point(
      entries_.begin(), entries_.end(),
      [address](const WireIndexEntry& entry) { return entry.end() <= address.value; });
  return {first, entries_.end()};
}

}  // namespace stillframe
