// Which reads of files bring the pages that were asked for. Passive: reads nothing itself.
#ifndef STILLFRAME_IMAGE_READ_PLAN_H_
#define STILLFRAME_IMAGE_READ_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/image_chain.h"
#include "image/wire.h"

namespace stillframe {

// A page that is to be read.
struct QueuedPage {
  uint64_t block = 0;  // the offset of its block in the file
  const WireIndexEntry* entry = nullptr;
  std::byte* to = nullptr;  // a page long
  uint32_t depth = 0;       // of the file in the chain
  uint16_t page = 0;        // in the block
  // Read without the rest of its block, and proven by its hash. Filled in by PlanReads.
  bool alone = false;

  // Where it stands in the file; of an encoded block that says only the order.
  uint64_t offset() const { return block + page * kPageSize.count; }
};

// One read: bytes of one file, without a gap.
struct PlannedRead {
  uint32_t depth = 0;
  uint64_t begin = 0;  // in the file
  uint64_t end = 0;
  // Of the pages: those that it brings. Those of one block are together, or each alone.
  size_t first = 0;
  size_t count = 0;
};

// The longest read, as a block may be that long. Not more: its buffer stays in the CPU's cache.
inline constexpr uint64_t kMostRead = KiB(256).count;
static_assert(kMostRead >= kMaxBlockPages * kPageSize.count);
// Bytes between two pieces that are read along, rather than by two reads.
inline constexpr uint64_t kMostGap = KiB(8).count;

// Sorts the pages by file and place in it, and joins what lies side by side there.
std::vector<PlannedRead> PlanReads(const ImageChain& chain, std::vector<QueuedPage>& pages);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_READ_PLAN_H_
