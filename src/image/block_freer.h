// Frees blocks of one image, or pages of them, so that it may be killed at any time.
#ifndef STILLFRAME_IMAGE_BLOCK_FREER_H_
#define STILLFRAME_IMAGE_BLOCK_FREER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "image/freed_wire.h"
#include "image/stored_image.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// First a list is published beside the image of what shall be freed, marked as not complete, then
// that is freed, then the list is published again as complete. Whoever reads the image in between
// takes all that is listed for zeros, whatever is there.
//
// Thread rule: one thread.
class BlockFreer {
 public:
  // `image` was opened with exclusive access, and outlives it. `needed`: of each entry of its index
  // a bit for each page that stays.
  BlockFreer(const StoredImage& image, std::span<const uint64_t> needed);

  // Pages that were freed before, and those that Free will free, both of those that entries name.
  Pages before() const { return before_; }
  Pages fresh() const { return fresh_; }
  // Whether there is anything to do.
  bool is_idle() const { return fresh_.count == 0 && (list_.empty() || was_complete_); }

  // Errors: kDamaged for a block that is not what the index says, of which a part would stay;
  // kOutput, kPermission, kUnsupported.
  Result<void> Free();

 private:
  struct Block {
    const WireIndexEntry* entry;  // one of those that name it
    WireFreed freed;
  };

  // What of the block is to be freed, `needed` being the pages of it that stay.
  static uint64_t Freeable(const WireIndexEntry& block, uint64_t needed);
  // Fills in the checksums.
  Result<void> Sum();
  Result<void> SumPart(Block* block) const;
  Result<void> Publish(bool complete) const;
  Result<void> Punch() const;

  const StoredImage& image_;
  std::vector<Block> list_;  // by file_offset
  Pages before_;
  Pages fresh_;
  bool was_complete_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_FREER_H_
