// A save in simulated time: holds a throttle policy against workloads, outputs and sizes that no
// machine at hand has.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_SIMULATOR_H_
#define STILLFRAME_EVALUATE_SIMULATOR_SIMULATOR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/simulator/output.h"
#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/save_trace.h"
#include "stillframe/throttle.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// What things cost. The defaults were taken on the machine of docs/throttling.md.
struct MachineModel {
  int cpus = 2;
  int others = 0;  // threads of other programs that want all the CPU they can get
  // How long the tracker is busy with one fault: copy, open, hand on. Values at the quantiles of
  // kServiceQuantiles.
  static constexpr double kServiceQuantiles[] = {0,    0.1,  0.25,  0.5,    0.75, 0.9,
                                                 0.95, 0.99, 0.999, 0.9999, 1};
  std::vector<double> service_us = {7, 11, 12, 16, 21, 28, 33, 45, 70, 115, 300};
  Duration fault = std::chrono::microseconds(12);      // until a writer's fault can be read
  Duration wake = std::chrono::microseconds(25);       // of a thread that sleeps, on another CPU
  Duration resume = std::chrono::microseconds(30);     // of a writer whose page was opened
  Duration read = std::chrono::microseconds(2);        // up to 16 faults
  Duration open = std::chrono::microseconds(4);        // a page that is saved already
  Duration scan_call = std::chrono::microseconds(25);  // for each run of the scan,
  Duration scan_page = Duration(700);                  // and for each page of it
  Duration output_call = Duration(1000);               // CPU time of one write to the image,
  Duration output_page = Duration(500);                // and for each page of it
  // What a thread runs for before another one of the same CPU is let run.
  Duration slice = std::chrono::milliseconds(3);
};

struct WorkloadModel {
  enum class Pattern { kIdle, kUniform, kSkewed, kSequential, kReplay };

  std::string name;
  Pattern pattern = Pattern::kUniform;
  int writers = 2;     // 1 to 64, each a thread that waits for its own faults only
  double rate = 0;     // writes per second, all together; 0: as many as they can
  double skew = 0.99;  // kSkewed: the exponent of Zipf's law, above 0 and below 2
  Duration write = std::chrono::microseconds(1);  // CPU time of one that does not fault
  // All of them write for so long in each period, at its start; zero: always.
  Duration burst{0};
  Duration period{0};
  const SaveTrace* trace = nullptr;  // kReplay: not owned
};

struct SimulatorSetup {
  MachineModel machine;
  WorkloadModel workload;
  OutputModel output = FreeOutput();
  Bytes memory = GiB(1);  // all of it present; up to 8 TiB
  Bytes stage = MiB(64);
  Duration max_stall = std::chrono::seconds(1);
  Duration fault_limit = std::chrono::milliseconds(5);  // what counts as late in the report
  Duration longest = std::chrono::hours(12);            // simulated; then it is ended
  uint64_t seed = 1;
};

struct SimulatorReport {
  enum class End { kDone, kMaxStall, kOutputFailed, kTooLong } end = End::kDone;
  Duration duration{0};  // from the instant until the last byte was taken
  WaitSummary wait;      // as the tracker sees it
  WaitSummary stall;     // as the writers feel it, getting them running again included
  uint64_t late = 0;     // stalls above fault_limit
  uint64_t faulted = 0;  // pages
  uint64_t scanned = 0;  // pages
  ThrottleCounters throttle;
  uint64_t stage_full = 0;
  Bytes stage_peak;
  double kept = 1;          // of the writes that there would have been without a save
  double lost_seconds = 0;  // of the writing of one writer, by the save as a whole
  uint64_t events = 0;
};

std::string_view EndName(SimulatorReport::End end);

// Runs one save to its end. The same setup and policy give the same report everywhere; no clock is
// read. Memory: a bit for each page, and little more. Thread rule: any thread.
// Errors: kUsage for a setup outside its ranges.
Result<SimulatorReport> Simulate(const SimulatorSetup& setup, ThrottlePolicy& policy);

// The setup of a recorded save: its memory, its stage and its faults as a workload. The writers
// write the pages of the trace, in their order and not before their time, as soon as one of them is
// free. A write to a page that the recorded scan had saved before left no fault, so it is not among
// them. `trace` outlives the setup. Errors: kUsage for a trace without memory.
Result<SimulatorSetup> ReplaySetup(const SaveTrace& trace);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_SIMULATOR_H_
