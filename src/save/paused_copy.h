// Memory that can't be write-protected, copied while the target stands still.
#ifndef STILLFRAME_SAVE_PAUSED_COPY_H_
#define STILLFRAME_SAVE_PAUSED_COPY_H_

#include <span>
#include <vector>

#include "base/mapped_memory.h"
#include "save/save_plan.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/target.h"
#include "stillframe/units.h"

namespace stillframe {

// Holds the copies until they are written. Its memory grows with what is copied: the stage is for
// pages on their way.
class PausedCopies {
 public:
  // Copies all of `planned` whose treatment is kCopy. Pages that can't be read (behind the end of a
  // file) are noted and stay zero, as in the kernel's own core dumps.
  static Result<PausedCopies> Take(const Target& target, std::span<const PlannedMapping> planned);

  // One piece of at most `limit` at a time; an empty span when all was given out. Its memory lives
  // as long as this.
  struct Piece {
    TargetAddress address;
    std::span<const std::byte> memory;
  };
  Piece Next(Bytes limit);

  Pages pages() const { return pages_; }
  // What stays to be declared zero: holes of shared memory, and what could not be read.
  std::span<const AddressRange> zeros() const { return zeros_; }
  std::span<const AddressRange> unreadable() const { return unreadable_; }

 private:
  struct Copy {
    TargetAddress address;
    Bytes size;
    MappedMemory memory;
  };

  Result<void> TakeRange(const Target& target, AddressRange range);

  std::vector<Copy> copies_;
  std::vector<AddressRange> zeros_;
  std::vector<AddressRange> unreadable_;
  Pages pages_;
  size_t next_copy_ = 0;
  Bytes next_offset_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PAUSED_COPY_H_
