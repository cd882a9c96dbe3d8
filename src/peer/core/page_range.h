// What every sink checks of what it is told.
#ifndef STILLFRAME_PEER_CORE_PAGE_RANGE_H_
#define STILLFRAME_PEER_CORE_PAGE_RANGE_H_

#include <cstdint>
#include <limits>

#include "image/coverage.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// Whole pages that don't go beyond the end of all addresses. Errors: kInternal.
inline Result<void> CheckPageRange(TargetAddress address, uint64_t bytes) {
  if (address.value % kPageSize.count == 0 && bytes % kPageSize.count == 0 &&
      bytes <= std::numeric_limits<uint64_t>::max() - address.value) {
    return {};
  }
  return Fail(ErrorCode::kInternal,
              "the range at " + Hex(address.value) + " is not of whole pages");
}

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_PAGE_RANGE_H_
