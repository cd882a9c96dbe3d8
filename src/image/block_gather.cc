#include "image/block_gather.h"

#include <algorithm>
#include <cstring>

#include "image/block_reader.h"
#include "image/page_hash.h"

namespace stillframe {
namespace {

constexpr size_t kPage = kPageSize.count;

// The pages at the front that are of one block.
std::span<const QueuedPage> FirstBlock(std::span<const QueuedPage> pages) {
  const auto end = std::ranges::find_if(
      pages, [&](const QueuedPage& page) { return page.block != pages.front().block; });
  return {pages.begin(), end};
}

// All pages of the block are wanted, one behind the other.
bool IsWholeBlock(std::span<const QueuedPage> pages) {
  if (pages.size() != pages.front().entry->block_pages) return false;
  for (size_t i = 0; i < pages.size(); ++i) {
    if (pages[i].page != i || pages[i].to != pages.front().to + i * kPage) return false;
  }
  return true;
}

void CopyOut(std::span<const std::byte> block, std::span<const QueuedPage> pages) {
  for (const QueuedPage& page : pages) {
    std::memcpy(page.to, block.data() + page.page * kPage, kPage);
  }
}

}  // namespace

Result<void> BlockGather::Run(const ImageChain& chain, const PlannedRead& read,
                              std::span<const QueuedPage> pages,
                              const std::function<void()>& on_disk) {
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<std::byte[]>(kMostRead);
  const StoredImage& image = chain.image(read.depth);
  begin_ = read.begin;
  // One page needs no way round: it can be proven where it is wanted.
  const bool single = pages.size() == 1 && pages.front().alone;
  const std::span<std::byte> bytes =
      single ? std::span(pages.front().to, kPage)
             : At(read.begin, static_cast<size_t>(read.end - read.begin));
  const size_t cached = image.file().ReadCached(begin_, bytes);
  if (cached < bytes.size()) {
    on_disk();
    STILLFRAME_TRY(image.file().ReadAt(begin_ + cached, bytes.subspan(cached)));
  }
  if (single) return FinishAlone(image, pages.front(), bytes);
  while (!pages.empty()) {
    const Pages block = FirstBlock(pages);
    STILLFRAME_TRY(Finish(image, block));
    pages = pages.subspan(block.size());
  }
  return {};
}

Result<void> BlockGather::Finish(const StoredImage& image, Pages pages) {
  const WireIndexEntry& entry = *pages.front().entry;
  if (pages.front().alone) {
    for (const QueuedPage& page : pages) {
      STILLFRAME_TRY(FinishAlone(image, page, At(page.offset(), kPage)));
    }
    return {};
  }
  const auto stored = At(entry.file_offset, static_cast<size_t>(entry.stored_bytes));
  STILLFRAME_TRY(CheckStored(image, entry, stored));
  const bool whole = IsWholeBlock(pages);
  if (EncodingOf(entry) == WireEncoding::kRaw) {
    whole ? static_cast<void>(std::memcpy(pages.front().to, stored.data(), stored.size()))
          : CopyOut(stored, pages);
    return {};
  }
  if (whole) return DecodeStored(image, entry, stored, {pages.front().to, RawBytes(entry)});
  const std::span<std::byte> block = Block(entry);
  const size_t wanted = (pages.back().page + size_t{1}) * kPage;
  STILLFRAME_TRY(DecodeStored(image, entry, stored, block, wanted));
  CopyOut(block, pages);
  return {};
}

Result<void> BlockGather::FinishAlone(const StoredImage& image, const QueuedPage& page,
                                      std::span<const std::byte> read) {
  const auto hash = image.hashes().Of(*page.entry, page.page - page.entry->first_page);
  if (hash && *hash == HashPage(read)) {
    if (read.data() != page.to) std::memcpy(page.to, read.data(), kPage);
    return {};
  }
  // Either is damaged: the block's own checksum says which.
  const std::span<std::byte> block = Block(*page.entry);
  STILLFRAME_TRY(ReadBlock(image, *page.entry, block));
  CopyOut(block, {&page, 1});
  return {};
}

std::span<std::byte> BlockGather::Block(const WireIndexEntry& entry) {
  if (block_ == nullptr) {
    block_ = std::make_unique_for_overwrite<std::byte[]>(kMaxBlockPages * kPage);
  }
  return {block_.get(), RawBytes(entry)};
}

}  // namespace stillframe
