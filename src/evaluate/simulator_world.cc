#include "evaluate/simulator_world.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "track/stage.h"

namespace stillframe::evaluate {
namespace {

// As the kernel weighs a nice value of 0, and of 5.
constexpr double kWeight = 1024;
constexpr double kOutputWeight = 335;

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

SimulatedCpus::Speeds SimulatedCpus::Share() const {
  struct Group {
    double count;
    double weight;
    double demand;  // of one
    double speed;
  };
  std::array<Group, 4> groups{{{static_cast<double>(writers), kWeight, writer_demand, -1},
                               {static_cast<double>(resuming), kWeight, 1, -1},
                               {scan ? 1.0 : 0.0, kWeight, 1, -1},
                               {output ? 1.0 : 0.0, kOutputWeight, 1, -1}}};
  double left = std::max(0.2, cpus - (tracker ? 1.0 : 0.0));
  // Whoever wants less than its share leaves the rest to the others: at most once for each group.
  for (size_t round = 0; round < groups.size(); ++round) {
    double weight = 0;
    for (const Group& g : groups) weight += g.speed < 0 ? g.count * g.weight : 0;
    if (weight == 0) break;
    bool settled = false;
    const double per_weight = left / weight;
    for (Group& g : groups) {
      if (g.speed >= 0 || g.count == 0 || per_weight * g.weight < g.demand) continue;
      g.speed = g.demand;
      left -= g.count * g.demand;
      settled = true;
    }
    if (settled) continue;
    for (Group& g : groups) {
      if (g.speed < 0) g.speed = per_weight * g.weight;
    }
  }
  const auto speed = [](const Group& g) {
    return g.count == 0 ? 1.0 : std::clamp(g.speed / g.demand, 0.01, 1.0);
  };
  return {.writer = speed(groups[0]), .scan = speed(groups[2]), .output = speed(groups[3])};
}

SimulatedWorld::SimulatedWorld(const SimulatorSetup& s)
    : setup(s),
      machine(s.machine),
      random(s.seed),
      memory(ToPages(s.memory).count,
             s.workload.pattern == WorkloadModel::Pattern::kSkewed ? s.workload.skew : 0),
      stage(s.stage) {
  cpus.cpus = machine.cpus;
}

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
