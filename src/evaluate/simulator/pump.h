// The output thread of a simulated save: faulted pages first, then the scan's runs.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_PUMP_H_
#define STILLFRAME_EVALUATE_SIMULATOR_PUMP_H_

#include <cstdint>
#include <deque>

#include "evaluate/simulator/output.h"
#include "evaluate/simulator/world.h"

namespace stillframe::evaluate {

class SimulatedPump {
 public:
  explicit SimulatedPump(SimulatedWorld& world) : world_(world), output_(world.setup.output) {}

  Duration next() const { return next_; }
  void Step();
  void PutFaulted();
  void PutRun(uint64_t pages);
  Bytes sent() const { return sent_; }
  bool failed() const { return failed_; }

 private:
  void Wake();
  void Begin();

  SimulatedWorld& world_;
  SimulatedOutput output_;
  Duration next_ = kNever;
  uint64_t faulted_ = 0;       // pages that wait
  std::deque<uint64_t> runs_;  // pages of each
  uint64_t writing_ = 0;       // pages; 0: nothing
  bool writing_run_ = false;
  bool failed_ = false;
  Bytes sent_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_PUMP_H_
