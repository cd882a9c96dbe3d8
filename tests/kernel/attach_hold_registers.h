// A loop that notices any change of its registers.
#ifndef STILLFRAME_TESTS_KERNEL_ATTACH_HOLD_REGISTERS_H_
#define STILLFRAME_TESTS_KERNEL_ATTACH_HOLD_REGISTERS_H_

#include <cstdint>

// Fills every general register but the stack pointer, and two vector registers, with values of
// their own (rbx 0x2222222222222222, ...), spins `iterations` times, and returns 0 when all of them
// still hold what they did. One thread at a time.
extern "C" int HoldRegisters(uint64_t iterations);

#endif  // STILLFRAME_TESTS_KERNEL_ATTACH_HOLD_REGISTERS_H_
