#include "image/block_job.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "image/checksum.h"
#include "image/page_hash.h"
#include "image/zero_scan.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

}  // namespace

Result<std::unique_ptr<BlockJob>> BlockJob::Create(Pages most, const Compression& compression,
                                                   const ParentPages* parent) {
  std::unique_ptr<BlockEncoder> encoder;
  if (compression.codec != Codec::kNone) {
    STILLFRAME_ASSIGN(encoder, BlockEncoder::Create(compression));
  }
  return std::unique_ptr<BlockJob>(new BlockJob(most, std::move(encoder), parent));
}

BlockJob::BlockJob(Pages most, std::unique_ptr<BlockEncoder> encoder, const ParentPages* parent)
    : encoder_(std::move(encoder)), parent_(parent), pages_(ToBytes(most)), hashes_(most.count) {
  if (encoder_) encoded_ = MappedMemory(ToBytes(most));
  parts_.reserve(most.count);
}

void BlockJob::Take(uint64_t turn, TargetAddress address, std::span<const std::byte> pages,
                    PageSource source) {
  std::memcpy(pages_.data(), pages.data(), pages.size());
  count_ = pages.size() / kPage;
  address_ = address;
  turn_ = turn;
  source_ = source;
  parts_.clear();
}

std::span<const std::byte> BlockJob::PagesAt(size_t first, size_t count) const {
  return {pages_.data() + first * kPage, count * kPage};
}

Result<WireKind> BlockJob::Judge(size_t page) {
  const auto bytes = PagesAt(page, 1);
  if (IsZeroPage(bytes.data())) return WireKind::kZero;
  hashes_[page] = HashPage(bytes);
  if (parent_ == nullptr) return WireKind::kData;
  STILLFRAME_ASSIGN(const bool same,
                    parent_->Has(address_ + Bytes{page * kPage}, bytes, hashes_[page]));
  return same ? WireKind::kInParent : WireKind::kData;
}

Result<void> BlockJob::Work() {
  for (size_t page = 0; page < count_; ++page) {
    STILLFRAME_ASSIGN(const WireKind kind, Judge(page));
    const TargetAddress at = address_ + Bytes{page * kPage};
    if (parts_.empty() || parts_.back().kind != kind) {
      parts_.push_back({.range = {at, at}, .kind = kind, .stored = {}, .hashes = {}});
    }
    parts_.back().range.end = at + kPageSize;
  }
  size_t first = 0;
  for (BlockPart& part : parts_) {
    if (part.kind == WireKind::kData) Encode(first, &part);
    first += part.range.pages().count;
  }
  return {};
}

void BlockJob::Encode(size_t first, BlockPart* part) {
  const size_t count = part->range.pages().count;
  part->hashes = std::span(hashes_).subspan(first, count);
  part->stored = PagesAt(first, count);
  if (encoder_) {
    // As long as the pages, and so at the same place: parts don't share it.
    const std::span<std::byte> to(encoded_.data() + first * kPage, count * kPage);
    if (const size_t size = encoder_->Encode(part->stored, to); size > 0) {
      part->stored = to.first(size);
      part->encoding = encoder_->encoding();
    }
  }
  part->checksum = part->encoding == WireEncoding::kRaw && count == 1 ? part->hashes.front().low
                                                                      : Checksum(part->stored);
}

}  // namespace stillframe
