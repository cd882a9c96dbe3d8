#include "image/block_freer.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <string>

#include "base/fail_point.h"
#include "image/checksum.h"
#include "image/gathered_output.h"
#include "stillframe/process_state.h"
#include "store/store.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

Pages CountOf(uint64_t bits) { return {static_cast<uint64_t>(std::popcount(bits))}; }

// The pages of its block that the entry names.
uint64_t PagesIn(const WireIndexEntry& entry) { return PageBits(entry.first_page, entry.pages); }

bool IsRaw(const WireIndexEntry& block) { return EncodingOf(block) == WireEncoding::kRaw; }

}  // namespace

BlockFreer::BlockFreer(const StoredImage& image, std::span<const uint64_t> needed)
    : image_(image), was_complete_(image.freed().complete()) {
  const std::span<const WireIndexEntry> entries = image.index().entries();
  const std::vector<const WireIndexEntry*> blocks = image.index().Blocks();
  for (size_t first = 0; first < blocks.size();) {
    const WireIndexEntry& block = *blocks[first];
    uint64_t named = 0;
    uint64_t stay = 0;
    for (; first < blocks.size() && blocks[first]->file_offset == block.file_offset; ++first) {
      if (ImageIndex::IsSuperseded(block)) continue;
      const WireIndexEntry& entry = *blocks[first];
      named |= PagesIn(entry);
      stay |= needed[static_cast<size_t>(&entry - entries.data())] << entry.first_page;
    }
    if (named == 0) continue;
    const uint64_t before = image.freed().PagesOf(block);
    const uint64_t now = before | Freeable(block, stay);
    if (now == 0) continue;
    list_.push_back({.entry = &block,
                     .freed = {.file_offset = block.file_offset, .freed = now, .checksum = 0}});
    before_ += CountOf(before & named);
    fresh_ += CountOf(now & ~before & named);
  }
}

uint64_t BlockFreer::Freeable(const WireIndexEntry& block, uint64_t needed) {
  const uint64_t all = PageBits(0, block.block_pages);
  if (IsRaw(block)) return all & ~needed;
  return needed == 0 ? all : 0;
}

Result<void> BlockFreer::Free() {
  STILLFRAME_TRY(Sum());
  STILLFRAME_TRY(Publish(false));
  FailPoint("dedup.listed");
  STILLFRAME_TRY(Punch());
  FailPoint("dedup.punched");
  STILLFRAME_TRY(Publish(true));
  FailPoint("dedup.completed");
  return {};
}

Result<void> BlockFreer::Sum() {
  // Blocks of which nothing stays are all alike.
  ByteVector zeros;
  for (Block& block : list_) {
    const bool whole = block.freed.freed == PageBits(0, block.entry->block_pages);
    if (!whole) {
      STILLFRAME_TRY(SumPart(&block));
      continue;
    }
    zeros.resize(static_cast<size_t>(block.entry->stored_bytes));
    block.freed.checksum = Checksum(zeros);
  }
  return {};
}

Result<void> BlockFreer::SumPart(Block* block) const {
  ByteVector stored(static_cast<size_t>(block->entry->stored_bytes));
  STILLFRAME_TRY(image_.file().ReadAt(block->entry->file_offset, stored));
  uint64_t expected = block->entry->checksum;
  if (const WireFreed* before = image_.freed().Find(block->entry->file_offset)) {
    ClearFreed(*before, *block->entry, stored);
    expected = before->checksum;
  }
  // Else the list would say of whatever is there that it is right.
  if (Checksum(stored) != expected) {
    return image_.file().Damaged("the checksum of the block at offset " +
                                 std::to_string(block->entry->file_offset) + " is wrong");
  }
  ClearFreed(block->freed, *block->entry, stored);
  block->freed.checksum = Checksum(stored);
  return {};
}

Result<void> BlockFreer::Publish(bool complete) const {
  const WireImageName name = image_.contents().name();
  WireFreedHeader header{.magic = kFreedMagic,
                         .id = name.id,
                         .index_checksum = name.index_checksum,
                         .version = kFreedVersion,
                         .complete = complete ? 1u : 0u,
                         .count = list_.size(),
                         .checksum = 0};
  const auto head = std::as_bytes(std::span(&header, 1));
  RunningChecksum checksum;
  checksum.Add(head.first(offsetof(WireFreedHeader, checksum)));
  for (const Block& block : list_) checksum.Add(std::as_bytes(std::span(&block.freed, 1)));
  header.checksum = checksum.value();

  STILLFRAME_ASSIGN(auto store, OpenStore({.path = image_.file().path() + std::string(kFreedSuffix),
                                           .force = true}));
  GatheredOutput output(std::move(store));
  STILLFRAME_TRY(output.Append(head));
  for (const Block& block : list_) {
    STILLFRAME_TRY(output.Append(std::as_bytes(std::span(&block.freed, 1))));
  }
  return output.Publish();
}

Result<void> BlockFreer::Punch() const {
  uint64_t begin = 0;
  uint64_t end = 0;
  const auto free = [&](uint64_t from, uint64_t to) -> Result<void> {
    if (from == end) {
      end = to;
      return {};
    }
    const auto freed = end > begin ? image_.file().Free(begin, end - begin) : Result<void>();
    begin = from;
    end = to;
    FailPoint("dedup.punch");
    return freed;
  };
  for (const Block& block : list_) {
    const uint64_t at = block.entry->file_offset;
    if (!IsRaw(*block.entry)) {
      STILLFRAME_TRY(free(at, at + block.entry->stored_bytes));
      continue;
    }
    for (uint64_t page = 0; page < block.entry->block_pages; ++page) {
      if ((block.freed.freed >> page & 1) == 0) continue;
      STILLFRAME_TRY(free(at + page * kPage, at + (page + 1) * kPage));
    }
  }
  STILLFRAME_TRY(free(0, 0));
  return image_.file().Sync();
}

}  // namespace stillframe
