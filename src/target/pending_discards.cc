#include "target/pending_discards.h"

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "sys/number_text.h"
#include "sys/proc_file.h"

namespace stillframe {
namespace {

constexpr uint64_t kMadviseNumber = 28;
// MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTNEED_LOCKED
constexpr std::array<uint64_t, 4> kDiscarding = {4, 8, 9, 24};

}  // namespace

std::optional<AddressRange> ParseDiscard(std::string_view line) {
  uint64_t number = 0;
  uint64_t begin = 0;
  uint64_t length = 0;
  uint64_t advice = 0;
  // "running" and "-1 ..." fail at the first number.
  if (!TakeNumber(&line, &number) || number != kMadviseNumber || !TakeNumber(&line, &begin) ||
      !TakeNumber(&line, &length) || !TakeNumber(&line, &advice)) {
    return std::nullopt;
  }
  // The kernel takes the advice as an int.
  if (std::ranges::find(kDiscarding, advice & 0xffffffff) == kDiscarding.end()) return std::nullopt;
  const uint64_t rounded = (length + kPageSize.count - 1) & ~(kPageSize.count - 1);
  const uint64_t end = begin + rounded;
  if (begin % kPageSize.count != 0 || rounded < length || end <= begin) return std::nullopt;
  return AddressRange{{begin}, {end}};
}

size_t FindPendingDiscards(int directory, std::span<AddressRange> ranges) {
  size_t found = 0;
  NumberedEntries threads(directory, "task");
  while (found < ranges.size()) {
    const pid_t tid = threads.Next();
    if (tid == 0) break;
    std::array<char, 256> buffer;
    const auto range =
        ParseDiscard(ReadSmallFile(directory, TaskPath(tid, "syscall").c_str(), buffer));
    if (range) ranges[found++] = *range;
  }
  return found;
}

}  // namespace stillframe
