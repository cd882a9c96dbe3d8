// The memory of the scripted target, of which the tests know every byte.
#ifndef STILLFRAME_TESTS_E2E_TARGETS_TARGET_MEMORY_H_
#define STILLFRAME_TESTS_E2E_TARGETS_TARGET_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "base/unique_fd.h"

namespace stillframe::test {

inline constexpr uint64_t kTargetSeed = 7;  // pages are FillPage(seed, index, generation)

struct TargetMemory {
  std::byte* anonymous = nullptr;  // private
  std::byte* shared = nullptr;     // of `memfd`
  size_t pages = 0;                // of each of the two
  UniqueFd memfd;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_TARGETS_TARGET_MEMORY_H_
