// What the tests of the fork have in common.
#ifndef STILLFRAME_TESTS_KERNEL_ATTACH_FORK_CHILD_H_
#define STILLFRAME_TESTS_KERNEL_ATTACH_FORK_CHILD_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "attach_child.h"
#include "stillframe/target.h"

namespace stillframe::test {

// A target attached to without a userfaultfd, and a copy of its memory.
struct Forked {
  std::unique_ptr<Target> target;
  std::unique_ptr<FrozenMemory> frozen;
  std::string error;  // the first one's message; empty for none
  ErrorCode code = ErrorCode::kInternal;
};

// Attaches, pauses and forks; resumed unless `stay_paused`.
Forked ForkTarget(pid_t pid, bool stay_paused = false);

// The same and back again, `rounds` times. The first error's message.
std::string ForkAndDrop(pid_t pid, int rounds);

// The pids of a process's children, zombies and those without an exit signal included.
std::string ChildrenOf(pid_t pid);

// The fork helper of ours, found by its name; 0 for none.
pid_t FindHelper();

// Reads an object of type Value.
template <class Value>
bool ReadValue(const FrozenMemory& memory, const Value* address, Value* to) {
  const iovec part{.iov_base = to, .iov_len = sizeof(Value)};
  const auto outcome = memory.Read({reinterpret_cast<uint64_t>(address)}, {&part, 1});
  return outcome.error == 0 && outcome.copied.count == sizeof(Value);
}

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_KERNEL_ATTACH_FORK_CHILD_H_
