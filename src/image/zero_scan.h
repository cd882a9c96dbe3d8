// Finds pages that hold nothing but zeros.
#ifndef STILLFRAME_IMAGE_ZERO_SCAN_H_
#define STILLFRAME_IMAGE_ZERO_SCAN_H_

#include <cstddef>

namespace stillframe {

// `page`: kPageSize bytes, of any alignment. Uses AVX2 where this CPU has it. No allocation.
bool IsZeroPage(const std::byte* page);

// The two ways that IsZeroPage chooses from.
bool IsZeroPagePortable(const std::byte* page);
bool HasAvx2();
// Only where HasAvx2.
bool IsZeroPageAvx2(const std::byte* page);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_ZERO_SCAN_H_
