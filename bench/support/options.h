// The command line of a benchmark, by GLib.
#ifndef STILLFRAME_BENCH_SUPPORT_OPTIONS_H_
#define STILLFRAME_BENCH_SUPPORT_OPTIONS_H_

#include <initializer_list>

namespace stillframe::bench {

// A number of at least `smallest`; `value` holds the default.
struct NumberOption {
  const char* name;
  int* value;
  int smallest;
  const char* help;
};

// Ends the program with 2 for an option that is unknown or out of its range.
void ParseOptions(int argc, char** argv, const char* what,
                  std::initializer_list<NumberOption> options);

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_OPTIONS_H_
