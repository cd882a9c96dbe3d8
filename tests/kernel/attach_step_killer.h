// Kills whoever works on a target right after each single step of that, and looks what the target
// is left with.
#ifndef STILLFRAME_TESTS_KERNEL_ATTACH_STEP_KILLER_H_
#define STILLFRAME_TESTS_KERNEL_ATTACH_STEP_KILLER_H_

#include <sys/types.h>

#include <functional>
#include <string>

#include "attach_child.h"

namespace stillframe::test {

// One thread that holds its registers, one in a system call, one that is sent signals.
void RunCheckingTarget(Board& board);

// True when nobody traces any of its threads.
bool IsLetGo(pid_t target);

// What is done to the target; the first error's message.
using AttachJob = std::function<std::string(pid_t target)>;

// Runs `job` again and again, each time in a process of its own that is killed at another step, of
// which there have to be `least_steps`. Each time the target must be let go, go on, keep its
// descriptors, and have no child. `confine` runs in the target first; when it is in a process below
// ours, its pid stands in value[7].
void KillAtEachStep(const std::function<void(Board&)>& confine, const AttachJob& job,
                    size_t least_steps);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_KERNEL_ATTACH_STEP_KILLER_H_
