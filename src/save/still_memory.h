// Memory that nobody writes to just now: a target that stands still, or the frozen copy of one.
#ifndef STILLFRAME_SAVE_STILL_MEMORY_H_
#define STILLFRAME_SAVE_STILL_MEMORY_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>

#include "stillframe/error.h"
#include "stillframe/target.h"
#include "stillframe/units.h"

namespace stillframe {

// How to read it. Borrows what it was made of.
struct StillMemory {
  pid_t pid = 0;     // whose /proc/PID/map_files name the files behind it
  int pagemap = -1;  // which of its pages exist
  std::function<ReadOutcome(TargetAddress, std::span<const iovec>)> read;
  // An error when it went away, so that nothing read since can be believed.
  std::function<Result<void>()> check_alive;
};

// Reads `range`, for what that brings into memory: as much at a time as `buffer` holds. A page that
// can't be read is passed over, with those behind it. Asks `check` before each piece.
inline Result<void> ReadOnce(const StillMemory& memory, AddressRange range,
                             std::span<std::byte> buffer,
                             const std::function<Result<void>()>& check) {
  while (!range.empty()) {
    STILLFRAME_TRY(check());
    const Bytes size = std::min(range.size(), Bytes{buffer.size()});
    const iovec part{.iov_base = buffer.data(), .iov_len = size.count};
    memory.read(range.begin, {&part, 1});
    range.begin = range.begin + size;
  }
  return {};
}

inline StillMemory StillMemoryOf(const Target& target) {
  return {.pid = target.pid(),
          .pagemap = target.pagemap(),
          .read = [&target](TargetAddress from,
                            std::span<const iovec> to) { return target.Read(from, to); },
          .check_alive = [&target] { return target.CheckAlive(); }};
}

inline StillMemory StillMemoryOf(const FrozenMemory& frozen) {
  return {.pid = frozen.pid(),
          .pagemap = frozen.pagemap(),
          .read = [&frozen](TargetAddress from,
                            std::span<const iovec> to) { return frozen.Read(from, to); },
          .check_alive = [&frozen] { return frozen.CheckAlive(); }};
}

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_STILL_MEMORY_H_
