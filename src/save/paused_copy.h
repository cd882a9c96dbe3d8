// Memory that can't be write-protected, copied while the target stands still.
#ifndef STILLFRAME_SAVE_PAUSED_COPY_H_
#define STILLFRAME_SAVE_PAUSED_COPY_H_

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/mapped_memory.h"
#include "save/mapping_contents.h"
#include "save/memory_budget.h"
#include "save/save_plan.h"
#include "save/still_memory.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// How much of `planned` is to be copied inside the pause, the target running meanwhile: holes not
// counted.
Result<Bytes> BytesToCopy(const StillMemory& memory, std::span<const PlannedMapping> planned);

// Holds the copies until they are written: the stage is for pages on their way. Their memory is
// bounded by what is available on the system, and mapped and touched before the pause, as far as
// the need is known by then, so that the pause waits for no page of ours.
//
// Thread rule: one thread at a time.
class PausedCopies {
 public:
  PausedCopies() = default;

  // Before the pause, the target running: gets memory for what is planned to be copied, and for
  // `more` pages that TakePages will be given. kLimit when that is more than `available`, or can't
  // be had.
  Result<void> Reserve(const StillMemory& memory, std::span<const PlannedMapping> planned,
                       Bytes available, Bytes more = Bytes{0});

  // Before the pause, after Reserve: reads once what is planned to be copied of private
  // mappings of files, at most `most` of it, so that inside the pause none of it has to come from a
  // disk. Shared ones may be large, and are mostly in memory. Asks `check` between
  // pieces of 1 MiB.
  Result<void> ReadAhead(const StillMemory& memory, std::span<const PlannedMapping> planned,
                         Bytes most, const std::function<Result<void>()>& check);

  // Inside the pause: copies all of `planned` whose treatment is kCopy. Asks `cancelled` between
  // pieces of 1 MiB and gives up with kInterrupted. What is more than was reserved is got now:
  // kLimit when it can't be.
  //
  // Pages that can't be read (behind the end of a file) are noted and stay zero, as in the kernel's
  // own core dumps.
  Result<void> Take(const StillMemory& memory, std::span<const PlannedMapping> planned,
                    const std::function<bool()>& cancelled);
  // The same for pages that all exist.
  Result<void> TakePages(const StillMemory& memory, AddressRange range,
                         const std::function<bool()>& cancelled);

  // One piece of at most `limit` at a time; an empty span when all was given out. Its memory lives
  // as long as this.
  struct Piece {
    TargetAddress address;
    std::span<const std::byte> memory;
  };
  Piece Next(Bytes limit);
  // Where that piece begins; nothing when all was given out.
  std::optional<TargetAddress> next() const;

  Pages pages() const { return pages_; }
  Bytes reserved() const { return reserved_; }
  // What stays to be declared zero: holes, and what could not be had at all.
  std::span<const AddressRange> zeros() const { return zeros_; }
  std::span<const AddressRange> unreadable() const { return unreadable_; }

 private:
  struct Copy {
    TargetAddress address;
    std::span<std::byte> memory;
  };

  Result<void> TakeStretch(const MappingContents& contents, const Stretch& stretch,
                           const std::function<bool()>& cancelled);
  // Room for one copy, at most `wanted` of it: what is left of the last chunk, or a new one.
  Result<std::span<std::byte>> Room(Bytes wanted);

  MemoryBudget budget_;
  std::vector<MappedMemory> chunks_;
  Bytes used_;  // of the last chunk
  Bytes reserved_;
  std::vector<Copy> copies_;
  std::vector<AddressRange> zeros_;
  std::vector<AddressRange> unreadable_;
  Pages pages_;
  size_t next_copy_ = 0;
  Bytes next_offset_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PAUSED_COPY_H_
