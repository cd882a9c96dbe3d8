// What a process is about to discard, from the system calls that its threads are blocked in.
#ifndef STILLFRAME_TARGET_PENDING_DISCARDS_H_
#define STILLFRAME_TARGET_PENDING_DISCARDS_H_

#include <optional>
#include <span>
#include <string_view>

#include "stillframe/units.h"

namespace stillframe {

// The range of a madvise(2) that gives pages back, from a line of /proc/PID/task/TID/syscall; empty
// for any other call, or for a range that madvise refuses.
std::optional<AddressRange> ParseDiscard(std::string_view line);

// Looks at every thread of the process whose /proc/PID `directory` is. Returns how many were found,
// at most as many as there is room for. No allocation; any thread.
size_t FindPendingDiscards(int directory, std::span<AddressRange> ranges);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_PENDING_DISCARDS_H_
