// Gives blocks of an image back to the file system once all their pages were read.
#ifndef STILLFRAME_IMAGE_BLOCK_PUNCHER_H_
#define STILLFRAME_IMAGE_BLOCK_PUNCHER_H_

#include <cstdint>
#include <mutex>
#include <vector>

#include "image/stored_image.h"

namespace stillframe {

// Thread rule: any thread.
class BlockPuncher {
 public:
  // `image` is open with ImageFile::Access::kExclusive, and outlives this.
  explicit BlockPuncher(const StoredImage& image);

  // Whether the block at `file_offset` was given back.
  bool IsGone(uint64_t file_offset) const;
  // The pages of the block, a bit each, were handed out: once all that entries name were, it is
  // given back, as far as it fills pages of the file, alone or with neighbours that are gone as
  // well. To be told of a page again changes nothing.
  void HandedOut(uint64_t file_offset, uint64_t pages);

 private:
  struct Block {
    uint64_t begin = 0;  // in the file
    uint64_t end = 0;
    uint64_t left = 0;  // pages that were not handed out yet
  };

  size_t Find(uint64_t file_offset) const;
  void Punch(size_t number) const;

  const StoredImage& image_;
  mutable std::mutex mutex_;
  std::vector<Block> blocks_;  // by begin, side by side
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_PUNCHER_H_
