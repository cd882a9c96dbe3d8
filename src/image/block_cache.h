// The blocks that were read last, so that who reads them piece by piece pays for each once.
#ifndef STILLFRAME_IMAGE_BLOCK_CACHE_H_
#define STILLFRAME_IMAGE_BLOCK_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <span>

#include "stillframe/process_state.h"
#include "stillframe/units.h"

namespace stillframe {

// Several: pages that stand side by side in memory may stand in many files of a chain. Of 1 MiB
// together, however long the blocks are.
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
      if (kept.key != key) continue;
      std::memcpy(to.data(), kept.pages.data() + skip, to.size());
      return true;
    }
    return false;
  }
  void Keep(const Key& key, ByteVector pages) {
    const std::lock_guard lock(mutex_);
    bytes_ += pages.size();
    kept_.push_back({key, std::move(pages)});
    while (bytes_ > kMostBytes) {
      bytes_ -= kept_.front().pages.size();
      kept_.pop_front();
    }
  }

 private:
  struct Kept {
    Key key;
    ByteVector pages;
  };

  static constexpr size_t kMostBytes = MiB(1).count;

  mutable std::mutex mutex_;
  std::deque<Kept> kept_;  // the oldest first
  size_t bytes_ = 0;       // of their pages
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_CACHE_H_
