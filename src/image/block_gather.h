// Does one read of a plan: bytes of a file go to a buffer, are checked there, and from there to
// where they are wanted. To have the kernel copy them to their places at once was slower: its copy
// to memory that no cache holds took twice as long as both copies. A single raw page goes straight
// to its place.
#ifndef STILLFRAME_IMAGE_BLOCK_GATHER_H_
#define STILLFRAME_IMAGE_BLOCK_GATHER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "image/image_chain.h"
#include "image/read_plan.h"
#include "stillframe/error.h"

namespace stillframe {

// Keeps its memory, less than 1 MiB, from one read to the next. Thread rule: one thread at a time.
class BlockGather {
 public:
  // `pages`: those of the read. `on_disk` is called before a read that is not in the page cache.
  // Errors: as ImageReader::Read.
  Result<void> Run(const ImageChain& chain, const PlannedRead& read,
                   std::span<const QueuedPage> pages, const std::function<void()>& on_disk);

 private:
  using Pages = std::span<const QueuedPage>;

  // Bytes of the read.
  std::span<std::byte> At(uint64_t offset, size_t length) {
    return {buffer_.get() + (offset - begin_), length};
  }
  // Each is of the pages of one block.
  Result<void> Finish(const StoredImage& image, Pages pages);
  // `read`: what stood in the file for the page.
  Result<void> FinishAlone(const StoredImage& image, const QueuedPage& page,
                           std::span<const std::byte> read);
  std::span<std::byte> Block(const WireIndexEntry& entry);

  std::unique_ptr<std::byte[]> buffer_;  // kMostRead
  std::unique_ptr<std::byte[]> block_;   // a block's pages
  uint64_t begin_ = 0;                   // of the read
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_GATHER_H_
