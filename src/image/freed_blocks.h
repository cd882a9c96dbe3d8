// Which blocks of an image, or pages of them, were given back to the file system because later
// images have others in their place.
#ifndef STILLFRAME_IMAGE_FREED_BLOCKS_H_
#define STILLFRAME_IMAGE_FREED_BLOCKS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image/freed_wire.h"
#include "image/image_contents.h"
#include "stillframe/error.h"

namespace stillframe {

// Thread rule: const members from any thread.
class FreedBlocks {
 public:
  // Reads the file beside the image at `image_path`. Nothing is freed where there is none, or one
  // of another image. Errors: kDamaged, as for open(2).
  static Result<FreedBlocks> Load(const std::string& image_path, const ImageContents& contents);

  // Of a block; null where nothing of it was freed.
  const WireFreed* Find(uint64_t file_offset) const;
  // The pages of the entry's block that were freed, a bit each.
  uint64_t PagesOf(const WireIndexEntry& entry) const {
    const WireFreed* block = blocks_.empty() ? nullptr : Find(entry.file_offset);
    return block == nullptr ? 0 : block->freed;
  }
  bool empty() const { return blocks_.empty(); }
  // Whether the bytes of all of them are zeros by now.
  bool complete() const { return complete_; }

 private:
  std::vector<WireFreed> blocks_;  // by file_offset
  bool complete_ = false;
};

// Makes what was freed of a block zero, whatever the file still has there. `stored`: the block as
// it is stored.
void ClearFreed(const WireFreed& freed, const WireIndexEntry& block, std::span<std::byte> stored);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_FREED_BLOCKS_H_
