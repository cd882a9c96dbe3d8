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
  AddressRange range;
  WireKind kind = WireKind::kZero;  // kData, kZero or kInParent
  // Of kData.
  WireEncoding encoding = WireEncoding::kRaw;
  uint64_t checksum = 0;              // of `stored`
  std::span<const std::byte> stored;  // as long as the job isn't taken for other pages
  std::span<const PageHash> hashes;   // of each page
};

// All that takes time, apart from the output: which pages are zero, which ones the parent has, the
// encoding of the rest. In memory of its own, so that any thread can do it, and so that nothing of
// it lies on a heap that is being saved.
//
// Thread rule: one thread at a time.
class BlockJob {
 public:
  // `parent` may be null, and outlives it. `most`: how many pages at a time, and so in a block.
  // Errors: as BlockEncoder::Create, kLimit without memory.
  static Result<std::unique_ptr<BlockJob>> Create(Pages most, const Compression& compression,
                                                  const ParentPages* parent);

  // Copies `pages`, at most `most`, from `address` on.
  void Take(uint64_t turn, TargetAddress address, std::span<const std::byte> pages,
            PageSource source);
  // Then finds out what becomes of them. No error but that of reading the parent.
  Result<void> Work();

  // By address, all of what was taken. After Work.
  std::span<const BlockPart> parts() const { return parts_; }
  uint64_t turn() const { return turn_; }
  PageSource source() const { return source_; }

 private:
  BlockJob(Pages most, std::unique_ptr<BlockEncoder> encoder, const ParentPages* parent);

  Result<WireKind> Judge(size_t page);
  std::span<const std::byte> PagesAt(size_t first, size_t count) const;
  void Encode(size_t first, BlockPart* part);

  const std::unique_ptr<BlockEncoder> encoder_;  // null: raw
  const ParentPages* const parent_;
  MappedMemory pages_;
  MappedMemory encoded_;
  std::vector<PageHash> hashes_;
  std::vector<BlockPart> parts_;
  size_t count_ = 0;  // of pages taken
  TargetAddress address_;
  uint64_t turn_ = 0;
  PageSource source_ = PageSource::kScanned;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_JOB_H_
