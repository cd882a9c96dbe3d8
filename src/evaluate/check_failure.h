// What happens when the workload finds that its memory is not what it must be.
#ifndef STILLFRAME_EVALUATE_CHECK_FAILURE_H_
#define STILLFRAME_EVALUATE_CHECK_FAILURE_H_

#include <string_view>

namespace stillframe::evaluate {

// The exit code that says: memory was wrong.
inline constexpr int kWrongMemoryExit = 99;
// The exit code that says: the workload itself could not go on (a system call failed).
inline constexpr int kBrokenExit = 98;

// Prints "wrong memory: PART: WHAT at ADDRESS" on stderr and ends the process at once, without
// running any destructor: nothing may be repaired or overwritten after that. Any thread.
[[noreturn]] void FailCheck(std::string_view part, std::string_view what, const void* address);

// For a system call that must not fail: prints it with errno's text and ends the process with
// kBrokenExit.
[[noreturn]] void FailCall(std::string_view part, std::string_view call);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_CHECK_FAILURE_H_
