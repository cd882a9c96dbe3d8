// Where in the target a `syscall` instruction stands that a stopped thread can be sent to.
#ifndef STILLFRAME_TARGET_SYSCALL_INSTRUCTION_H_
#define STILLFRAME_TARGET_SYSCALL_INSTRUCTION_H_

#include <sys/user.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "stillframe/mapping.h"
#include "stillframe/units.h"

namespace stillframe {

// Executable ranges of the target, best first; a fixed array, as it is used where nothing may be
// allocated.
struct ExecutableRanges {
  std::array<AddressRange, 16> ranges;
  size_t count = 0;
  bool operator==(const ExecutableRanges&) const = default;
};

// The vdso, then files, then the rest.
ExecutableRanges FindExecutableRanges(std::span<const Mapping> mappings);

// The instruction that the stopped thread itself is just behind, when it is in a system call; else
// the first one in the ranges. `memory`: a descriptor of its /proc/PID/mem. No allocation;
// async-signal-safe.
std::optional<TargetAddress> FindSyscallInstruction(int memory, const user_regs_struct& registers,
                                                    const ExecutableRanges& ranges);

// Whether the thread is inside a restartable sequence, where it must not be touched: the kernel
// would forget to abort it. `rseq`: the address of its struct rseq, 0 for none. No allocation;
// async-signal-safe.
bool InRestartableSequence(int memory, TargetAddress rseq, const user_regs_struct& registers);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_SYSCALL_INSTRUCTION_H_
