#include "evaluate/simulator/world.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "track/stage.h"

namespace stillframe::evaluate {
namespace {

constexpr double kOfLate = 3e6;      // ns
constexpr double kLeastLeft = 0.05;  // of all CPUs, for those behind the tracker

}  // namespace

SimulatedStage::SimulatedStage(Bytes bytes) : size(bytes) {
  const Bytes share = std::min(size / 2, Stage::kLargestScanShare);
  const Bytes run = ToBytes(ToPages(std::min(Stage::kLargestRun, share / 4)));
  run_pages = ToPages(run).count;
  buffers = buffers_free = share.count / run.count;
  slots = slots_free = ToPages(size - share).count;
}

Bytes SimulatedStage::used() const {
  return kPageSize * ((slots - slots_free) + (buffers - buffers_free) * run_pages);
}

void SimulatedStage::NotePeak() { peak = std::max(peak, used()); }

void SimulatedCpus::Pass(Duration time) {
  const double part = std::min(1.0, static_cast<double>(time.count()) / kOfLate);
  const auto follow = [part](double& value, double now) { value += part * (now - value); };
  follow(of_late_.writers, writers * writer_demand + switching);
  follow(of_late_.tracker, tracker ? 1 : 0);
  follow(of_late_.scan, scan ? 1 : 0);
  follow(of_late_.output, output ? 1 : 0);
  follow(of_late_.reader, reader);
}

SimulatedCpus::Speeds SimulatedCpus::Share() const {
  struct Group {
    double count;
    double demand;  // of one
    double gets = -1;
  };
  std::array<Group, 5> groups{{{writer_count_, of_late_.writers / writer_count_},
                               {1, of_late_.scan},
                               {1, of_late_.output},
                               {1, of_late_.reader},
                               {others_, 1}}};
  double left = std::max(kLeastLeft, cpus_ - of_late_.tracker);
  // Whoever wants less than its share leaves the rest to the others: at most once for each group.
  for (size_t round = 0; round < groups.size(); ++round) {
    double count = 0;
    for (const Group& g : groups) count += g.gets < 0 ? g.count : 0;
    if (count == 0) break;
    const double each = left / count;
    bool satisfied = false;
    for (Group& g : groups) {
      if (g.gets >= 0 || each < g.demand) continue;
      g.gets = g.demand;
      left -= g.count * g.demand;
      satisfied = true;
    }
    if (satisfied) continue;
    for (Group& g : groups) {
      if (g.gets < 0) g.gets = each;
    }
  }
  const auto speed = [](const Group& g) {
    return g.demand <= g.gets ? 1.0 : std::max(0.01, g.gets / g.demand);
  };
  return {.writer = speed(groups[0]), .scan = speed(groups[1]), .output = speed(groups[2])};
}

SimulatedWorld::SimulatedWorld(const SimulatorSetup& s)
    : setup(s),
      machine(s.machine),
      random(s.seed),
      memory(ToPages(s.memory).count,
             s.workload.pattern == WorkloadModel::Pattern::kSkewed ? s.workload.skew : 0),
      stage(s.stage),
      cpus(s.machine.cpus, s.machine.others, s.workload.writers) {}

double SimulatedWorld::Uniform() {
  constexpr uint64_t kParts = uint64_t{1} << 53;
  return static_cast<double>(random.Below(kParts)) / static_cast<double>(kParts);
}

Duration SimulatedWorld::ServiceTime() {
  const double u = Uniform();
  const auto& at = MachineModel::kServiceQuantiles;
  size_t i = 1;
  while (i + 1 < std::size(at) && u >= at[i]) ++i;
  const double part = (u - at[i - 1]) / (at[i] - at[i - 1]);
  const double us =
      machine.service_us[i - 1] + part * (machine.service_us[i] - machine.service_us[i - 1]);
  return Duration(static_cast<int64_t>(us * 1000));
}

}  // namespace stillframe::evaluate
