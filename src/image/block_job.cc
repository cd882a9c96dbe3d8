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

Result<std::unique_ptr<BlockJob>> BlockJob::Create(Pages block, const Compression& compression,
                                                   const ParentPages* parent) {
  std::unique_ptr<BlockEncoder> encoder;
  if (compression.codec != Codec::kNone) {
    STILLFRAME_ASSIGN(encoder, BlockEncoder::Create(compression));
  }
  return std::unique_ptr<BlockJob>(new BlockJob(block, std::move(encoder), parent));
}

BlockJob::BlockJob(Pages block, std::unique_ptr<BlockEncoder> encoder, const ParentPages* parent)
    : block_(block.count),
      encoder_(std::move(encoder)),
      parent_(parent),
      pages_(Bytes{kRoom * kPage}),
      hashes_(kRoom) {
  if (encoder_) encoded_ = MappedMemory(Bytes{kRoom * kPage});
  pieces_.reserve(kRoom);
  parts_.reserve(kRoom);
}

void BlockJob::Clear() {
  count_ = 0;
  pieces_.clear();
  parts_.clear();
}

size_t BlockJob::Take(uint64_t turn, TargetAddress address, std::span<const std::byte> pages,
                      PageSource source) {
  const size_t offered = pages.size() / kPage;
  const size_t room = kRoom - count_;
  // Cut between two blocks only: else one odd page would cut every block behind it.
  const size_t count = offered <= room ? offered : room / block_ * block_;
  if (count == 0) return 0;
  std::memcpy(pages_.data() + count_ * kPage, pages.data(), count * kPage);
  pieces_.push_back(
      {.turn = turn, .address = address, .first = count_, .count = count, .source = source});
  count_ += count;
  return count * kPage;
}

std::span<const std::byte> BlockJob::PagesAt(size_t first, size_t count) const {
  return {pages_.data() + first * kPage, count * kPage};
}

Result<WireKind> BlockJob::Judge(TargetAddress address, size_t page) {
  const auto bytes = PagesAt(page, 1);
  if (IsZeroPage(bytes.data())) return WireKind::kZero;
  hashes_[page] = HashPage(bytes);
  if (parent_ == nullptr) return WireKind::kData;
  STILLFRAME_ASSIGN(const bool same, parent_->Has(address, bytes, hashes_[page]));
  return same ? WireKind::kInParent : WireKind::kData;
}

Result<void> BlockJob::Work() {
  for (const Piece& piece : pieces_) STILLFRAME_TRY(Divide(piece));
  return {};
}

Result<void> BlockJob::Divide(const Piece& piece) {
  const size_t first_part = parts_.size();
  for (size_t i = 0; i < piece.count; ++i) {
    const TargetAddress at = piece.address + Bytes{i * kPage};
    STILLFRAME_ASSIGN(const WireKind kind, Judge(at, piece.first + i));
    if (i % block_ == 0 || parts_.back().kind != kind) {
      parts_.push_back({.turn = piece.turn,
                        .range = {at, at},
                        .source = piece.source,
                        .kind = kind,
                        .stored = {},
                        .hashes = {}});
    }
    parts_.back().range.end = at + kPageSize;
  }
  size_t first = piece.first;
  for (BlockPart& part : std::span(parts_).subspan(first_part)) {
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
