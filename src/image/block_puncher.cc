#include "image/block_puncher.h"

#include <algorithm>

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

}  // namespace

BlockPuncher::BlockPuncher(const StoredImage& image) : image_(image) {
  for (const WireIndexEntry* entry : image.index().Blocks()) {
    if (blocks_.empty() || blocks_.back().begin != entry->file_offset) {
      blocks_.push_back({.begin = entry->file_offset,
                         .end = entry->file_offset + entry->stored_bytes,
                         .left = 0});
    }
    if (!ImageIndex::IsSuperseded(*entry)) {
      blocks_.back().left |= PageBits(entry->first_page, entry->pages);
    }
  }
}

size_t BlockPuncher::Find(uint64_t file_offset) const {
  const auto found = std::ranges::lower_bound(blocks_, file_offset, {}, &Block::begin);
  return static_cast<size_t>(found - blocks_.begin());
}

bool BlockPuncher::IsGone(uint64_t file_offset) const {
  const std::lock_guard lock(mutex_);
  return blocks_[Find(file_offset)].left == 0;
}

void BlockPuncher::HandedOut(uint64_t file_offset, uint64_t pages) {
  const std::lock_guard lock(mutex_);
  const size_t number = Find(file_offset);
  if (blocks_[number].left == 0) return;
  blocks_[number].left &= ~pages;
  if (blocks_[number].left == 0) Punch(number);
}

void BlockPuncher::Punch(size_t number) const {
  // A page of the file at the border of the block goes too if nothing else stands in it.
  uint64_t begin = blocks_[number].begin / kPage * kPage;
  for (size_t i = number; i-- > 0 && blocks_[i].end > begin;) {
    if (blocks_[i].left == 0) continue;
    begin += kPage;
    break;
  }
  uint64_t end = (blocks_[number].end + kPage - 1) / kPage * kPage;
  const bool last = end > blocks_.back().end;  // sections follow
  for (size_t i = number + 1; i < blocks_.size() && blocks_[i].begin < end && !last; ++i) {
    if (blocks_[i].left == 0) continue;
    end -= kPage;
    break;
  }
  if (last) end -= kPage;
  if (begin < end) image_.file().Punch(begin, end - begin);
}

}  // namespace stillframe
