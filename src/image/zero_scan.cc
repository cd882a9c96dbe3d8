#include "image/zero_scan.h"

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "stillframe/units.h"

namespace stillframe {
namespace {

// How much is looked at between two branches: most pages that hold data hold some early on.
constexpr size_t kStep = 128;
static_assert(kPageSize.count % kStep == 0);

}  // namespace

bool IsZeroPagePortable(const std::byte* page) {
  for (size_t at = 0; at < kPageSize.count; at += kStep) {
    uint64_t words[kStep / sizeof(uint64_t)];
    std::memcpy(words, page + at, kStep);
    uint64_t any = 0;
    for (const uint64_t word : words) any |= word;
    if (any != 0) return false;
  }
  return true;
}

__attribute__((target("avx2"))) bool IsZeroPageAvx2(const std::byte* page) {
  for (size_t at = 0; at < kPageSize.count; at += kStep) {
    const auto* from = reinterpret_cast<const __m256i*>(page + at);
    const __m256i low = _mm256_or_si256(_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1));
    const __m256i high =
        _mm256_or_si256(_mm256_loadu_si256(from + 2), _mm256_loadu_si256(from + 3));
    const __m256i any = _mm256_or_si256(low, high);
    if (_mm256_testz_si256(any, any) == 0) return false;
  }
  return true;
}

bool HasAvx2() { return __builtin_cpu_supports("avx2") != 0; }

bool IsZeroPage(const std::byte* page) {
  static const bool has_avx2 = HasAvx2();
  return has_avx2 ? IsZeroPageAvx2(page) : IsZeroPagePortable(page);
}

}  // namespace stillframe
