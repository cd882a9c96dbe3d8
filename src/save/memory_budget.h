// How much memory we may take for copies without pushing somebody else out of it.
#ifndef STILLFRAME_SAVE_MEMORY_BUDGET_H_
#define STILLFRAME_SAVE_MEMORY_BUDGET_H_

#include <string_view>

#include "base/mapped_memory.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// MemAvailable in the text of /proc/meminfo; without a bound where it isn't told.
Bytes ParseMemAvailable(std::string_view meminfo);
// What the system says that programs could have now without swapping. The bound of a memory cgroup
// is not seen.
Bytes AvailableMemory();

// kLimit when a stage of that size is more than what is available: it is got at once and used all
// the time, so the system would begin to swap, or end a program.
Result<void> CheckStageFits(Bytes stage, Bytes available);

// Hands out memory for copies up to a bound set at the start. Thread rule: one thread.
class MemoryBudget {
 public:
  MemoryBudget() = default;
  explicit MemoryBudget(Bytes available) : left_(available) {}

  // Counts `size` as taken. kLimit when it is more than what is left, with what the user may do.
  Result<void> Take(Bytes size);
  Bytes left() const { return left_; }

 private:
  Bytes left_{UINT64_MAX};
};

// A mapping of at least `size`. kLimit, and no exception, where it can't be had.
Result<MappedMemory> MapMemory(Bytes size);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_MEMORY_BUDGET_H_
