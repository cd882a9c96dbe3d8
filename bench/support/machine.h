// What a figure was measured on, and how a measurement ends that can't go on.
#ifndef STILLFRAME_BENCH_SUPPORT_MACHINE_H_
#define STILLFRAME_BENCH_SUPPORT_MACHINE_H_

#include <string>

#include "stillframe/error.h"

namespace stillframe::bench {

// Prints what was run, where, when and beside what: "NAME ARGUMENTS", date, CPUs, kernel,
// build. On stdout.
void PrintHeading(int argc, char** argv);

// Prints "WHAT: errno's text" on stderr and ends the program.
[[noreturn]] void Die(const std::string& what);
// The same for an error of the library.
[[noreturn]] void Die(const std::string& what, const Error& error);

template <class T>
T OrDie(const std::string& what, Result<T> result) {
  if (!result) Die(what, result.error());
  return *std::move(result);
}
inline void OrDie(const std::string& what, const Result<void>& result) {
  if (!result) Die(what, result.error());
}

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_MACHINE_H_
