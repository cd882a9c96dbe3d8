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

bool IsGoodBlock(const WireIndexEntry& entry, uint64_t data_end) {
  return entry.pages <= kMaxBlockPages && entry.stored_bytes == entry.pages * kPage &&
         entry.encoding == static_cast<uint8_t>(WireEncoding::kRaw) &&
         entry.source >= static_cast<uint8_t>(PageSource::kScanned) &&
         entry.source <= static_cast<uint8_t>(PageSource::kPaused) && entry.reason == 0 &&
         entry.file_offset >= kHeaderSize && entry.file_offset % kPage == 0 &&
         entry.file_offset <= data_end && entry.stored_bytes <= data_end - entry.file_offset;
}

bool HasNoBlock(const WireIndexEntry& entry) {
  return entry.file_offset == 0 && entry.stored_bytes == 0 && entry.checksum == 0 &&
         entry.source == 0 && entry.encoding == 0;
}

}  // namespace

Result<ImageIndex> ImageIndex::Load(const ImageFile& file, const WireSection& section,
                                    uint64_t data_end, std::vector<std::string> reasons) {
  if (section.length % sizeof(WireIndexEntry) != 0) {
    return file.Damaged("its index is not a whole number of entries");
  }
  ImageIndex index;
  index.reasons_ = std::move(reasons);
  uint64_t left = section.length / sizeof(WireIndexEntry);
  std::vector<WireIndexEntry> piece(static_cast<size_t>(std::min<uint64_t>(left, kPieceEntries)));
  for (uint64_t offset = section.offset; left > 0;) {
    const std::span entries(piece.data(),
                            static_cast<size_t>(std::min<uint64_t>(left, piece.size())));
    STILLFRAME_TRY(file.ReadAt(offset, std::as_writable_bytes(entries)));
    for (const WireIndexEntry& entry : entries) {
      if (const auto wrong = index.Check(entry, data_end)) {
        return file.Damaged("entry " + std::to_string(index.entries_.size()) + " of its index " +
                            *wrong);
      }
      index.entries_.push_back(entry);
    }
    offset += entries.size_bytes();
    left -= entries.size();
  }
  if (const auto wrong = index.CheckBlocks(data_end)) return file.Damaged(*wrong);
  return index;
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
