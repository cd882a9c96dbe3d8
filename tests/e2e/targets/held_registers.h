// What the threads of registers_target hold in their registers.
#ifndef STILLFRAME_TESTS_E2E_TARGETS_HELD_REGISTERS_H_
#define STILLFRAME_TESTS_E2E_TARGETS_HELD_REGISTERS_H_

#include <cstddef>
#include <cstdint>

namespace stillframe::test {

// rbx, rcx, rdx, rsi, rdi, rbp, r8 to r15. rax counts, rsp is its stack.
inline constexpr size_t kHeldGeneral = 14;
inline constexpr size_t kHeldVectors = 16;

// Known to the assembly code by its offsets.
struct HeldRegisters {
  uint64_t general[kHeldGeneral];
  uint64_t vectors[kHeldVectors][4];  // ymm0 to ymm15, the lower half first
  uint32_t mxcsr;
};
static_assert(offsetof(HeldRegisters, vectors) == 112 && offsetof(HeldRegisters, mxcsr) == 624);

// r15 holds the thread's number, from 0; the rest follows from it.
inline HeldRegisters HeldBy(uint64_t thread) {
  HeldRegisters held = {};
  for (size_t i = 0; i < kHeldGeneral; ++i) {
    held.general[i] = 0x0101'0101'0101'0101 * (i + 1) + (thread << 32);
  }
  held.general[kHeldGeneral - 1] = thread;
  for (size_t i = 0; i < kHeldVectors; ++i) {
    for (size_t word = 0; word < 4; ++word) {
      held.vectors[i][word] = (thread << 56) | (i << 40) | (word << 24) | 0xabcdef;
    }
  }
  // The usual one, with another rounding.
  held.mxcsr = 0x1f80 | static_cast<uint32_t>(thread % 4) << 13;
  return held;
}

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_TARGETS_HELD_REGISTERS_H_
