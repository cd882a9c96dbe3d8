// What each throttle policy costs a target and its save, in simulated time: workloads × outputs ×
// policies, at sizes that no machine at hand has, or the replay of a recorded save
// (`stillframe save --trace`). docs/throttling.md holds the last table and what follows from it.
//
// "late": writes that stood still for more than 5 ms; "lost": how much writing the save took from
// the target as a whole, in seconds of one writer. No real time goes into any figure: the same seed
// gives the same table on every machine.
#include <glib.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "evaluate/simulator/simulator.h"
#include "stillframe/save_trace.h"
#include "stillframe/throttle.h"
#include "support/machine.h"

namespace stillframe::bench {
namespace {

using evaluate::ConstantOutput;
using evaluate::FreeOutput;
using evaluate::LimitedOutput;
using evaluate::OutputModel;
using evaluate::SimulatorReport;
using evaluate::SimulatorSetup;
using evaluate::StallingOutput;
using evaluate::WorkloadModel;
using Pattern = WorkloadModel::Pattern;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Options {
  std::string only;  // part of the name of a case
  std::vector<std::string> policies = {"off", "skip", "ramp", "adaptive"};
  std::string replay;
  uint64_t seed = 1;
};

struct Size {
  const char* name;
  int cpus;
  Bytes memory;
  int writers;
  bool all_workloads;
  Bytes stage = MiB(64);
  int others = 0;
};

const Size kSizes[] = {{"1G/2", 2, GiB(1), 2, true},
                       {"1G/8", 2, GiB(1), 8, true},
                       {"64G/16", 16, GiB(64), 16, true},
                       {"1G/8 stage-2M", 2, GiB(1), 8, true, MiB(2)},
                       {"1G/2 busy", 2, GiB(1), 2, true, MiB(64), 4},
                       {"1T/64", 96, GiB(1024), 64, false}};

std::vector<WorkloadModel> Workloads(const Size& size) {
  const double some = 1000.0 * size.writers;  // writes per second
  std::vector<WorkloadModel> all = {
      {.name = "uniform-paced", .pattern = Pattern::kUniform, .rate = some},
      {.name = "uniform-max", .pattern = Pattern::kUniform},
      {.name = "zipf-max", .pattern = Pattern::kSkewed},
      {.name = "sequential-max", .pattern = Pattern::kSequential},
      {.name = "burst",
       .pattern = Pattern::kUniform,
       .burst = milliseconds(100),
       .period = milliseconds(500)}};
  if (!size.all_workloads) all = {all[0], all[2], all[4]};
  for (WorkloadModel& load : all) load.writers = size.writers;
  return all;
}

// Three seconds at 10 Gbit/s, one at 1 Gbit/s, and so on.
OutputModel Steps() {
  return {.name = "steps",
          .phases = {{.length = seconds(3), .bytes_per_ns = 1.25},
                     {.length = seconds(1), .bytes_per_ns = 0.125}},
          .buffer = MiB(1)};
}

OutputModel StallingPipe() {
  return ThroughPipe(StallingOutput("stall", 2e9, milliseconds(50), milliseconds(250)));
}

std::vector<OutputModel> Outputs(const Size& size) {
  if (size.memory >= GiB(1024)) {
    return {ConstantOutput("100Gbit", 12.5e9), ConstantOutput("10Gbit", 1.25e9),
            StallingOutput("stall", 12.5e9, milliseconds(50), milliseconds(250))};
  }
  if (size.memory >= GiB(64)) {
    return {ConstantOutput("100Gbit", 12.5e9), ConstantOutput("10Gbit", 1.25e9), Steps(),
            StallingPipe()};
  }
  return {FreeOutput(), StallingPipe(), Steps(), LimitedOutput("100M", 100e6),
          LimitedOutput("10M", 10e6)};
}

struct Row {
  std::string name;
  std::string output;
  std::string policy;
  SimulatorReport report;
};

void PrintHead() {
  std::printf("%-22s %-8s %-10s %9s %7s %7s %8s %8s %9s %9s %6s %9s %7s %6s %7s %s\n", "workload",
              "output", "policy", "duration", "p50", "p99", "p99.9", "max", "stall p99", "late",
              "kept", "lost", "faulted", "trig", "forced", "end");
}

void Print(const Row& row) {
  const SimulatorReport& r = row.report;
  std::printf(
      "%-22s %-8s %-10s %8.2fs %5luus %5luus %6luus %6luus %7luus %9lu %5.1f%% %8.2fs %6.1f%% %6lu "
      "%7lu %s\n",
      row.name.c_str(), row.output.c_str(), row.policy.c_str(),
      std::chrono::duration<double>(r.duration).count(), r.wait.p50, r.wait.p99, r.wait.p999,
      r.wait.max, r.stall.p99, r.late, 100 * r.kept, r.lost_seconds,
      100.0 * static_cast<double>(r.faulted) / static_cast<double>(r.faulted + r.scanned),
      r.throttle.triggers, r.throttle.forced, std::string(EndName(r.end)).c_str());
  std::fflush(stdout);
}

void RunPolicies(const SimulatorSetup& setup, const std::string& name, const Options& options) {
  for (const std::string& policy : options.policies) {
    auto throttle = OrDie("making the policy", MakeThrottlePolicy({.policy = policy}));
    const auto report = OrDie("simulating " + name, Simulate(setup, *throttle));
    Print({.name = name, .output = setup.output.name, .policy = policy, .report = report});
  }
}

void RunCases(const Options& options) {
  for (const Size& size : kSizes) {
    for (const WorkloadModel& load : Workloads(size)) {
      for (const OutputModel& output : Outputs(size)) {
        SimulatorSetup setup;
        setup.machine.cpus = size.cpus;
        setup.workload = load;
        setup.output = output;
        setup.memory = size.memory;
        setup.stage = size.stage;
        setup.machine.others = size.others;
        setup.seed = options.seed;
        const std::string name = std::string(size.name) + " " + load.name;
        if ((name + " " + output.name).find(options.only) == std::string::npos) continue;
        RunPolicies(setup, name, options);
      }
    }
  }
}

void Replay(const Options& options) {
  std::ifstream file(options.replay, std::ios::binary);
  if (!file) Die(options.replay);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const SaveTrace trace = OrDie("reading " + options.replay, DecodeTrace(text));
  SimulatorSetup setup = OrDie("replaying", evaluate::ReplaySetup(trace));
  setup.seed = options.seed;
  RunPolicies(setup, "replay", options);
}

Options Parse(int argc, char** argv) {
  gchar* only = nullptr;
  gchar* policies = nullptr;
  gchar* replay = nullptr;
  gint seed = 1;
  const GOptionEntry entries[] = {
      {"only", 0, 0, G_OPTION_ARG_STRING, &only, "Only cases whose name holds this", "TEXT"},
      {"policies", 0, 0, G_OPTION_ARG_STRING, &policies, "Which (off,skip,ramp,adaptive)", "A,B"},
      {"replay", 0, 0, G_OPTION_ARG_FILENAME, &replay, "A trace instead of the table", "FILE"},
      {"seed", 0, 0, G_OPTION_ARG_INT, &seed, "Start of all randomness (1)", "N"},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  const std::unique_ptr<GOptionContext, decltype(&g_option_context_free)> context(
      g_option_context_new("- throttle policies in simulated time"), g_option_context_free);
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  if (!g_option_context_parse(context.get(), &argc, &argv, nullptr) || argc > 1) {
    std::fprintf(stderr, "throttle_table: unknown options; see --help\n");
    std::exit(2);
  }
  Options options;
  if (only != nullptr) options.only = only;
  if (replay != nullptr) options.replay = replay;
  options.seed = static_cast<uint64_t>(seed);
  if (policies != nullptr) {
    options.policies.clear();
    std::istringstream list(policies);
    for (std::string policy; std::getline(list, policy, ',');) options.policies.push_back(policy);
  }
  g_free(only);
  g_free(policies);
  g_free(replay);
  return options;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) {
  using namespace stillframe::bench;
  PrintHeading(argc, argv);  // parsing takes the options away
  const Options options = Parse(argc, argv);
  PrintHead();
  if (options.replay.empty()) {
    RunCases(options);
  } else {
    Replay(options);
  }
  return 0;
}
