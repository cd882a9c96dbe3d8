#include "image/image_index.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "image/coverage.h"
#include "stillframe/page_sink.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr size_t kPieceEntries = 4096;

// The block as a whole: where it may lie, and how long it may be.
bool IsWithin(const WireIndexEntry& block, uint64_t data_end) {
  return block.file_offset >= kHeaderSize && block.file_offset <= data_end &&
         block.stored_bytes <= data_end - block.file_offset;
}

// In version 1 a block holds the pages of its entry, and pages stand at pages.
bool IsPlainBlock(const WireIndexEntry& block) {
  return block.pages <= kMaxBlockPages && block.stored_bytes == block.pages * kPage &&
         block.file_offset % kPage == 0;
}

bool IsPackedBlock(const WireIndexEntry& entry) {
  const uint64_t raw_bytes = entry.block_pages * kPage;
  if (entry.block_pages > kMaxBlockPages || entry.pages > entry.block_pages ||
      entry.first_page > entry.block_pages - entry.pages) {
    return false;
  }
  switch (EncodingOf(entry)) {
    case WireEncoding::kRaw:
      return entry.stored_bytes == raw_bytes;
    case WireEncoding::kLz4:
    case WireEncoding::kZstd:
      return entry.stored_bytes > 0 && entry.stored_bytes < raw_bytes;
  }
  return false;
}

bool IsGoodBlock(const WireIndexEntry& entry, const IndexPlace& place) {
  const bool shaped = place.version == kPlainVersion
                          ? IsPlainBlock(entry) && EncodingOf(entry) == WireEncoding::kRaw
                          : IsPackedBlock(entry);
  return shaped && IsWithin(entry, place.data_end) &&
         entry.source >= static_cast<uint8_t>(PageSource::kScanned) &&
         entry.source <= static_cast<uint8_t>(PageSource::kPaused) && entry.reason == 0;
}

bool HasNoBlock(const WireIndexEntry& entry) {
  return entry.file_offset == 0 && entry.stored_bytes == 0 && entry.checksum == 0 &&
         entry.source == 0 && entry.encoding == 0 && entry.first_page == 0 &&
         entry.block_pages == 0;
}

bool IsSameBlock(const WireIndexEntry& a, const WireIndexEntry& b) {
  return a.kind == b.kind && a.file_offset == b.file_offset && a.stored_bytes == b.stored_bytes &&
         a.checksum == b.checksum && a.encoding == b.encoding && a.block_pages == b.block_pages;
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
                                    const WireSection* superseded, const IndexPlace& place,
                                    std::vector<std::string> reasons) {
  ImageIndex index;
  index.reasons_ = std::move(reasons);
  STILLFRAME_TRY(index.LoadEntries(file, section, place));
  if (superseded != nullptr) STILLFRAME_TRY(index.LoadSuperseded(file, *superseded, place));
  const bool shared = place.version != kPlainVersion;
  if (const auto wrong = index.CheckBlocks(place.data_end, shared)) return file.Damaged(*wrong);
  return index;
}

Result<void> ImageIndex::LoadEntries(const ImageFile& file, const WireSection& section,
                                     const IndexPlace& place) {
  return ForEachRecord<WireIndexEntry>(
      file, section, "its index", [&](WireIndexEntry entry) -> Result<void> {
        if (const auto wrong = Check(entry, place)) {
          return file.Damaged("entry " + std::to_string(entries_.size()) + " of its index " +
                              *wrong);
        }
        if (IsData(entry)) {
          data_pages_ += Pages{entry.pages};
          // So that nobody else has to tell the versions apart.
          if (place.version == kPlainVersion) {
            entry.block_pages = static_cast<uint16_t>(entry.pages);
          }
        }
        if (KindOf(entry) == WireKind::kInParent) parent_pages_ += Pages{entry.pages};
        entries_.push_back(entry);
        return {};
      });
}

Result<void> ImageIndex::LoadSuperseded(const ImageFile& file, const WireSection& section,
                                        const IndexPlace& place) {
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
        const bool shaped = place.version == kPlainVersion
                                ? IsPlainBlock(block)
                                : block.stored_bytes <= kMaxBlockPages * kPage;
        if (!in_order || block.stored_bytes == 0 || !shaped || !IsWithin(block, place.data_end)) {
          return file.Damaged("superseded block " + std::to_string(superseded_.size()) +
                              " is out of order, or can't be");
        }
        superseded_.push_back(block);
        return {};
      });
}

std::optional<std::string> ImageIndex::Check(const WireIndexEntry& entry,
                                             const IndexPlace& place) const {
  if (entry.address % kPage != 0 || entry.pages == 0 ||
      entry.pages > (std::numeric_limits<uint64_t>::max() - entry.address) / kPage) {
    return "is not a range of pages";
  }
  if (!entries_.empty() && entry.address < entries_.back().end()) {
    return "overlaps the one before it, or is out of order";
  }
  if (place.version == kPlainVersion && (entry.first_page != 0 || entry.block_pages != 0)) {
    return "has a reserved field that is not zero";
  }
  if (IsData(entry)) {
    if (IsGoodBlock(entry, place)) return std::nullopt;
    return "points to a block that can't be";
  }
  if (!HasNoBlock(entry)) return "points to a block that it can't have";
  const bool no_reason = entry.reason == 0;
  if (KindOf(entry) == WireKind::kZero && no_reason) return std::nullopt;
  if (KindOf(entry) == WireKind::kLost && entry.reason < reasons_.size()) return std::nullopt;
  if (KindOf(entry) == WireKind::kInParent && place.version != kPlainVersion && no_reason) {
    if (place.has_parent) return std::nullopt;
    return "is of pages in a parent, and the image names none";
  }
  return "is of no known kind, or has no such reason";
}

std::vector<const WireIndexEntry*> ImageIndex::Blocks() const {
  std::vector<const WireIndexEntry*> blocks;
  for (const WireIndexEntry& entry : entries_) {
    if (IsData(entry)) blocks.push_back(&entry);
  }
  for (const WireIndexEntry& block : superseded_) blocks.push_back(&block);
  std::sort(blocks.begin(), blocks.end(), [](const auto* a, const auto* b) {
    if (a->file_offset != b->file_offset) return a->file_offset < b->file_offset;
    return a->first_page < b->first_page;
  });
  return blocks;
}

std::optional<std::string> ImageIndex::CheckBlocks(uint64_t data_end, bool shared) const {
  const auto offset_text = [](uint64_t offset) { return " at offset " + std::to_string(offset); };
  uint64_t at = kHeaderSize;
  const WireIndexEntry* previous = nullptr;
  for (const WireIndexEntry* block : Blocks()) {
    const WireIndexEntry* const before = std::exchange(previous, block);
    if (shared && before != nullptr && before->file_offset == block->file_offset) {
      if (!IsSameBlock(*before, *block) || IsSuperseded(*block)) {
        return "two entries of its index do not agree about the block" +
               offset_text(block->file_offset);
      }
      // In the order of first_page: each begins where those before have ended, or behind it.
      if (block->first_page < before->first_page + before->pages) {
        return "two pages stand in one place of the block" + offset_text(block->file_offset);
      }
      continue;
    }
    if (block->file_offset < at) return "two blocks overlap" + offset_text(block->file_offset);
    if (block->file_offset > at) return "no page uses the bytes" + offset_text(at);
    at += block->stored_bytes;
  }
  if (at != data_end) return "no page uses the bytes" + offset_text(at);
  return std::nullopt;
}

std::span<const WireIndexEntry> ImageIndex::From(TargetAddress address) const {
  const auto first = std::partition_point(
      entries_.begin(), entries_.end(),
      [address](const WireIndexEntry& entry) { return entry.end() <= address.value; });
  return {first, entries_.end()};
}

}  // namespace stillframe
