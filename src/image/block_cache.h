// The blocks that were read last, so that who reads page by page pays for each block once.
#ifndef STILLFRAME_IMAGE_BLOCK_CACHE_H_
#define STILLFRAME_IMAGE_BLOCK_CACHE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <span>

#include "stillframe/process_state.h"

namespace stillframe {

// A few: pages that stand side by side in memory may stand in several files of a chain.
//
// Thread rule: any thread.
class BlockCache {
 public:
  // Which block of which image.
  struct Key {
    size_t depth = 0;
    uint64_t file_offset = 0;
    bool operator==(const Key&) const = default;
  };

  // Copies the bytes of its pages from `skip` on if the block is one of those that are kept.
  bool Copy(const Key& key, size_t skip, std::span<std::byte> to) const {
    const std::lock_guard lock(mutex_);
    for (const Kept& kept : kept_) {
      if (kept.pages.empty() || kept.key != key) continue;
      std::memcpy(to.data(), kept.pages.data() + skip, to.size());
      return true;
    }
    return false;
  }
  void Keep(const Key& key, ByteVector pages) {
    const std::lock_guard lock(mutex_);
    kept_[next_] = {key, std::move(pages)};
    next_ = (next_ + 1) % kept_.size();
  }

 private:
  struct Kept {
    Key key;
    ByteVector pages;
  };

  mutable std::mutex mutex_;
  std::array<Kept, 4> kept_;
  size_t next_ = 0;  // the place of the next one
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_CACHE_H_
