// What a page of the workload holds: all of it follows from four numbers, so that any wrong byte
// can be told.
#ifndef STILLFRAME_EVALUATE_PAGE_PATTERN_H_
#define STILLFRAME_EVALUATE_PAGE_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>

#include "stillframe/units.h"

namespace stillframe::evaluate {

inline constexpr size_t kPageBytes = kPageSize.count;
inline constexpr uint64_t kPageMagic = 0x4567'6150'6c6c'6957;  // "WillPagE"

// Stands at the start of each page that was ever written; behind it, words derived from all of it.
struct PageHeader {
  uint64_t magic;
  uint64_t identity;    // the page's own address, or its number within memory that moves
  uint64_t generation;  // how often it was written; a page of generation 0 is all zeros and has no
                        // header
  uint64_t seed;
};
static_assert(sizeof(PageHeader) == 32);

// `page`: page-aligned, kPageBytes. `generation` 0 makes it zeros.
void FillPage(std::byte* page, uint64_t seed, uint64_t identity, uint64_t generation);
// The offset of the first wrong word in bytes; none when the page is as FillPage leaves it.
std::optional<size_t> FindWrongWord(const std::byte* page, uint64_t seed, uint64_t identity,
                                    uint64_t generation);

// Small and quick; the same numbers for the same seed everywhere. Thread rule: one thread.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  // From 0 to `bound` - 1; `bound` at least 1.
  uint64_t Below(uint64_t bound) { return engine_() % bound; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_PAGE_PATTERN_H_
