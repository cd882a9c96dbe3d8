// Where the addresses of a trace lie in a simulated memory.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_REPLAY_H_
#define STILLFRAME_EVALUATE_SIMULATOR_REPLAY_H_

#include <cstdint>
#include <vector>

#include "evaluate/simulator/simulator.h"

namespace stillframe::evaluate {

// A page written at a time.
struct ReplayedWrite {
  Duration at{0};
  uint64_t page = 0;
};

// The faults of a trace by their arrival, their pages counted through its ranges in the order in
// which the scan walks them. Faults outside of all ranges are left out.
std::vector<ReplayedWrite> ReplayedWrites(const SaveTrace& trace);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_REPLAY_H_
