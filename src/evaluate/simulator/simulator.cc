#include "evaluate/simulator/simulator.h"

#include <algorithm>

#include "evaluate/simulator/pump.h"
#include "evaluate/simulator/saver.h"
#include "evaluate/simulator/tracker.h"
#include "evaluate/simulator/world.h"
#include "evaluate/simulator/writers.h"

namespace stillframe::evaluate {
namespace {

using End = SimulatorReport::End;

WaitSummary Summarize(const LatencyHistogram& times) {
  const auto us = [](Duration time) { return static_cast<uint64_t>(time.count() / 1000); };
  return {.count = times.count(),
          .p50 = us(times.Quantile(0.5)),
          .p99 = us(times.Quantile(0.99)),
          .p999 = us(times.Quantile(0.999)),
          .max = us(times.max())};
}

tl::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kUsage, std::string("the simulator can't run this: ") + what);
}

Result<void> Check(const SimulatorSetup& setup) {
  const WorkloadModel& load = setup.workload;
  const OutputModel& output = setup.output;
  const uint64_t pages = ToPages(setup.memory).count;
  if (pages < 1 || pages > SimulatedMemory::kMostPages) return Bad("memory is 4 KiB to 8 TiB");
  if (setup.stage < MiB(1) || setup.stage > GiB(64)) return Bad("the stage is 1 MiB to 64 GiB");
  if (load.writers < 1 || load.writers > 64) return Bad("there are 1 to 64 writers");
  if (static_cast<uint64_t>(load.writers) > pages) return Bad("a writer needs a page");
  if (load.rate < 0 || load.write.count() < 1) return Bad("a write takes time");
  if (load.skew <= 0 || load.skew >= 2) return Bad("skew is above 0 and below 2");
  if (load.burst.count() < 0 || load.burst > load.period) return Bad("a burst fits its period");
  if (load.pattern == WorkloadModel::Pattern::kReplay && load.trace == nullptr) {
    return Bad("a replay needs a trace");
  }
  const MachineModel& machine = setup.machine;
  if (machine.cpus < 1 || machine.others < 0) return Bad("there is a CPU at least");
  if (machine.service_us.size() != std::size(MachineModel::kServiceQuantiles) ||
      !std::is_sorted(machine.service_us.begin(), machine.service_us.end())) {
    return Bad("service times are rising, one for each quantile");
  }
  const bool rated = std::any_of(output.phases.begin(), output.phases.end(), [](const auto& phase) {
    return phase.bytes_per_ns > 0 && phase.length.count() > 0;
  });
  if (!rated) return Bad("an output takes something at some time");
  return {};
}

// One save: the actors and the clock that they share.
class Simulation {
 public:
  Simulation(const SimulatorSetup& setup, ThrottlePolicy& policy)
      : world_(setup), tracker_(world_), saver_(world_, policy), pump_(world_), policy_(policy) {
    world_.tracker = &tracker_;
    world_.saver = &saver_;
    world_.pump = &pump_;
    writers_.emplace(world_);
    world_.writers = &*writers_;
  }

  SimulatorReport Run() {
    End end = Scan();
    Finish();
    if (end == End::kDone) end = Drain();
    SimulatorReport report = world_.report;
    report.end = end;
    report.duration = world_.now;
    report.wait = Summarize(world_.waits);
    report.stall = Summarize(world_.stalls);
    report.throttle = policy_.counters();
    report.stage_peak = world_.stage.peak;
    return report;
  }

 private:
  End Scan() {
    while (!saver_.done()) {
      ++world_.report.events;
      const Duration writers = writers_->next();
      const Duration first = std::min({writers, tracker_.next(), saver_.next(), pump_.next()});
      world_.cpus.Pass(first - world_.now);
      world_.now = first;
      if (first > world_.setup.longest) return End::kTooLong;
      // At one time the tracker comes first: it has the highest priority.
      if (first == tracker_.next()) {
        tracker_.Step();
      } else if (first == writers) {
        writers_->Step();
      } else if (first == saver_.next()) {
        saver_.Step();
      } else {
        pump_.Step();
      }
      if (world_.gave_up) return End::kMaxStall;
      if (pump_.failed()) return End::kOutputFailed;
    }
    return End::kDone;
  }

  // What the save has cost the target: it is let go before the rest is written.
  void Finish() {
    const double alone = writers_->WritesAlone();
    if (alone < 1) return;
    world_.report.kept = std::min(1.0, writers_->writes() / alone);
    const double seconds = std::chrono::duration<double>(world_.now).count();
    world_.report.lost_seconds = (1 - world_.report.kept) * seconds * world_.setup.workload.writers;
  }

  End Drain() {
    while (pump_.next() != kNever) {
      world_.now = pump_.next();
      pump_.Step();
      if (pump_.failed()) return End::kOutputFailed;
    }
    return End::kDone;
  }

  SimulatedWorld world_;
  SimulatedTracker tracker_;
  SimulatedSaver saver_;
  SimulatedPump pump_;
  std::optional<SimulatedWriters> writers_;
  ThrottlePolicy& policy_;
};

}  // namespace

std::string_view EndName(End end) {
  switch (end) {
    case End::kDone:
      return "done";
    case End::kMaxStall:
      return "max-stall";
    case End::kOutputFailed:
      return "output-failed";
    case End::kTooLong:
      return "too-long";
  }
  return "";
}

Result<SimulatorReport> Simulate(const SimulatorSetup& setup, ThrottlePolicy& policy) {
  STILLFRAME_TRY(Check(setup));
  return Simulation(setup, policy).Run();
}

}  // namespace stillframe::evaluate
