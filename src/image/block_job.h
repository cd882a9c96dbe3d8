// Pages on their way into an image, and what becomes of them there.
#ifndef STILLFRAME_IMAGE_BLOCK_JOB_H_
#define STILLFRAME_IMAGE_BLOCK_JOB_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/mapped_memory.h"
#include "image/block_codec.h"
#include "image/parent_pages.h"
#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// A part of a job: pages that become one block, or none.
struct BlockPart {
  uint64_t turn = 0;
  AddressRange range;
  PageSource source = PageSource::kScanned;
  WireKind kind = WireKind::kZero;  // kData, kZero or kInParent
  // Of kData.
  WireEncoding encoding = WireEncoding::kRaw;
  uint64_t checksum = 0;              // of `stored`
  std::span<const std::byte> stored;  // as long as the job isn't taken for other pages
  std::span<const PageHash> hashes;   // of each page
};

// All that takes time, apart from the output: which pages are zero, which ones the parent has, the
// encoding of the rest. The pages are in memory of its own, so that any thread can do it, and off a
// heap that may be what is saved. Pages from many places make one job: to hand a single page
// to another thread costs more than the page.
//
// Thread rule: one thread at a time.
class BlockJob {
 public:
  // How many pages a job has room for.
  static constexpr size_t kRoom = kMaxBlockPages;

  // `parent` may be null, and outlives it. `block`: the most pages of a block, at most kRoom.
  // Errors: as BlockEncoder::Create, kLimit without memory.
  static Result<std::unique_ptr<BlockJob>> Create(Pages block, const Compression& compression,
                                                  const ParentPages* parent);

  // Forgets what was taken and what became of it.
  void Clear();
  // Copies of `pages`, from `address` on, what there is room for, in whole blocks; returns its
  // length. Not 0 for an empty one.
  size_t Take(uint64_t turn, TargetAddress address, std::span<const std::byte> pages,
              PageSource source);
  bool IsEmpty() const { return count_ == 0; }
  bool IsFull() const { return count_ == kRoom; }
  // Then finds out what becomes of them. No error but that of reading the parent.
  Result<void> Work();

  // In the order in which they were taken, all of it. After Work.
  std::span<const BlockPart> parts() const { return parts_; }

 private:
  // What one Take took.
  struct Piece {
    uint64_t turn;
    TargetAddress address;
    size_t first;  // of pages_
    size_t count;
    PageSource source;
  };

  BlockJob(Pages block, std::unique_ptr<BlockEncoder> encoder, const ParentPages* parent);

  Result<void> Divide(const Piece& piece);
  Result<WireKind> Judge(TargetAddress address, size_t page);
  std::span<const std::byte> PagesAt(size_t first, size_t count) const;
  void Encode(size_t first, BlockPart* part);

  const size_t block_;
  const std::unique_ptr<BlockEncoder> encoder_;  // null: raw
  const ParentPages* const parent_;
  MappedMemory pages_;
  MappedMemory encoded_;
  std::vector<PageHash> hashes_;
  // With room for all there can be.
  std::vector<Piece> pieces_;
  std::vector<BlockPart> parts_;
  size_t count_ = 0;  // of pages taken
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_JOB_H_
