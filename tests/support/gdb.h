// Asks gdb about a core.
#ifndef STILLFRAME_TESTS_SUPPORT_GDB_H_
#define STILLFRAME_TESTS_SUPPORT_GDB_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace stillframe::test {

struct GdbAnswers {
  // What gdb said while it opened the core, CORE in place of its name.
  std::string opening;
  // By command, errors included, CORE in place of the core's name.
  std::vector<std::string> answers;
};

// `program`: the executable that the core is of.
GdbAnswers AskGdb(const std::string& program, const std::string& core,
                  const std::vector<std::string>& commands);

// Takes a core of `pid` with gcore: its path, PREFIX.PID; empty, and a failure of the current test,
// where that does not work.
std::string TakeGcore(pid_t pid, const std::string& prefix);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_GDB_H_
