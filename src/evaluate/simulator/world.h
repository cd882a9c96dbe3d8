// What the actors of a simulated save share.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_WORLD_H_
#define STILLFRAME_EVALUATE_SIMULATOR_WORLD_H_

#include <cstdint>
#include <limits>
#include <optional>

#include "base/latency_histogram.h"
#include "evaluate/page_pattern.h"
#include "evaluate/simulator/memory.h"
#include "evaluate/simulator/simulator.h"

namespace stillframe::evaluate {

class SimulatedPump;
class SimulatedSaver;
class SimulatedTracker;
class SimulatedWriters;

// Never: an actor that sleeps until somebody wakes it.
inline constexpr Duration kNever{std::numeric_limits<int64_t>::max()};

struct PageSpan {
  uint64_t first = 0;
  uint64_t count = 0;

  bool Contains(uint64_t page) const { return page >= first && page - first < count; }
};

// The stage's two shares, as counts.
struct SimulatedStage {
  explicit SimulatedStage(Bytes size);

  Bytes used() const;
  void NotePeak();

  const Bytes size;
  uint64_t run_pages;
  uint64_t slots;  // for faulted pages
  uint64_t buffers;
  uint64_t slots_free;
  uint64_t buffers_free;
  Bytes peak;
};

// Who wants a CPU. The tracker comes first, the others share alike: writers, scan, output, who
// reads it, and other programs. A scheduler is fair over some milliseconds and lets whoever mostly
// sleeps go first, so what counts is how much each of them wanted of late.
class SimulatedCpus {
 public:
  // How much of what it wants each of them gets, at most 1.
  struct Speeds {
    double writer = 1;
    double scan = 1;
    double output = 1;
  };

  SimulatedCpus(int cpus, int others, int writers)
      : cpus_(cpus), others_(others), writer_count_(writers) {}

  // Takes note that it has been as it is for so long.
  void Pass(Duration time);
  Speeds Share() const;

  // Just now.
  double writer_demand = 1;  // of a writer that does not wait
  int writers = 0;           // that do not wait
  int switching = 0;         // on their way into a fault or back: a whole CPU each
  bool tracker = false;
  bool scan = false;
  bool output = false;
  double reader = 0;  // of the output

 private:
  struct Demand {  // in CPUs, of late
    double writers = 0;
    double tracker = 0;
    double scan = 0;
    double output = 0;
    double reader = 0;
  };

  const double cpus_;
  const double others_;
  const double writer_count_;
  Demand of_late_;
};

struct SimulatedWorld {
  explicit SimulatedWorld(const SimulatorSetup& s);

  // A time to serve one fault.
  Duration ServiceTime();
  double Uniform();  // in [0, 1)

  const SimulatorSetup& setup;
  const MachineModel& machine;
  Random random;
  SimulatedMemory memory;
  SimulatedStage stage;
  SimulatedCpus cpus;
  Duration now{0};
  bool gave_up = false;

  PageSpan scanning;                // claimed by the scan and not open yet
  std::optional<uint64_t> serving;  // claimed by the tracker and not open yet

  SimulatedWriters* writers = nullptr;
  SimulatedTracker* tracker = nullptr;
  SimulatedSaver* saver = nullptr;
  SimulatedPump* pump = nullptr;

  LatencyHistogram waits;
  LatencyHistogram stalls;
  SimulatorReport report;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_WORLD_H_
