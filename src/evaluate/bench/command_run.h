// Saves by another program, for comparison.
#ifndef STILLFRAME_EVALUATE_BENCH_COMMAND_RUN_H_
#define STILLFRAME_EVALUATE_BENCH_COMMAND_RUN_H_

#include <sys/types.h>

#include <string>

#include "evaluate/bench/stop.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// Runs `command` by sh -c, with PID (the process to be saved) and OUTPUT (a path to write to) in
// its environment and its own output thrown away. Killed with all it started, in its own process
// group, when it takes longer than `timeout` or `stop` says so. Errors: kInterrupted, kLimit,
// kInternal when it ended with anything but 0.
//
// Thread rule: a thread that outlives it.
Result<void> RunSaveCommand(const std::string& command, pid_t target, const std::string& output,
                            Duration timeout, const BenchStop& stop);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_COMMAND_RUN_H_
