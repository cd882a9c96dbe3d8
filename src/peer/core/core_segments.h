// The PT_LOAD segments of a core.
#ifndef STILLFRAME_PEER_CORE_CORE_SEGMENTS_H_
#define STILLFRAME_PEER_CORE_CORE_SEGMENTS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// A range of memory, and how much of it, from its begin on, stands in the file. For lost pages it
// is empty: what is said to be in memory but not in the file, gdb shows as zeros.
struct CoreSegment {
  AddressRange memory;
  Bytes in_file;
  uint32_t flags = 0;  // PF_R, PF_W, PF_X

  bool operator==(const CoreSegment&) const = default;
};

// One for each mapping, as the kernel makes them, in_file being zero where nothing of it is saved;
// more only where pages were lost: what is before them, an empty
// one where they begin, what is behind them. `mappings` passed CheckMappings; `lost`:
// by address, not overlapping.
std::vector<CoreSegment> CutSegments(std::span<const SavedMapping> mappings,
                                     std::span<const RangeReason> lost);

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_CORE_SEGMENTS_H_
