// What figures were measured on.
#ifndef STILLFRAME_EVALUATE_BENCH_MACHINE_H_
#define STILLFRAME_EVALUATE_BENCH_MACHINE_H_

#include <string>

#include "stillframe/units.h"

namespace stillframe::evaluate {

struct MachineFacts {
  std::string date;    // "2026-11-21", UTC
  std::string cpu;     // as /proc/cpuinfo names it
  long cpus = 0;       // online
  std::string kernel;  // "6.18.44"
  Bytes memory{0};
};

// Reads them; what can't be found is empty.
MachineFacts ReadMachineFacts();

// The share (0 to 1) of all CPUs that is used during a second in which we do nothing.
double BusyShare();
// What others may use before figures are theirs as well.
inline constexpr double kQuietShare = 0.1;

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_MACHINE_H_
