#include "evaluate/bench_plan.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace stillframe::evaluate {
namespace {

constexpr Pacer::Bursts kBursts{.period = std::chrono::milliseconds(500), .share = 0.2};

constexpr std::array kKinds = {
    BenchWorkloadKind{.name = "uniform", .about = "each page as likely as any other"},
    BenchWorkloadKind{.name = "zipf",
                      .about = "some pages far more often than others (exponent 0.99)",
                      .spread = WriteSpread::kZipf},
    BenchWorkloadKind{.name = "sequential",
                      .about = "one page after the other",
                      .spread = WriteSpread::kSequential},
    BenchWorkloadKind{
        .name = "burst", .about = "uniform, all of it in 100 ms of every 500", .bursts = kBursts},
    BenchWorkloadKind{.name = "churn",
                      .about = "uniform, and beside it malloc, free, MADV_DONTNEED, MADV_FREE and "
                               "mremap, 200 steps a second",
                      .churns = true},
    BenchWorkloadKind{.name = "idle", .about = "writes nothing", .writes = false},
};

BenchMethodPtr Make(BenchMethod method) {
  return std::make_shared<const BenchMethod>(std::move(method));
}

BenchMethodPtr ByPolicy(std::string policy) {
  return Make({.name = policy, .about = "save --throttle " + policy, .policy = policy});
}

std::vector<BenchMethodPtr> MakeMethods() {
  using By = BenchMethod::By;
  return {Make({.name = "none", .about = "no save", .by = By::kNobody}),
          ByPolicy("skip"),
          ByPolicy("ramp"),
          ByPolicy("adaptive"),
          ByPolicy("off"),
          Make({.name = "fork", .about = "save --via fork", .via = Via::kFork}),
          Make({.name = "stop", .about = "save --via stop", .via = Via::kStop}),
          Make({.name = "self-fork",
                .about = "the workload forks, the child writes its memory out",
                .by = By::kItself,
                .usual = false})};
}

}  // namespace

std::span<const BenchWorkloadKind> BenchWorkloadKinds() { return kKinds; }

const BenchWorkloadKind* FindBenchWorkloadKind(std::string_view name) {
  const auto found = std::ranges::find(kKinds, name, &BenchWorkloadKind::name);
  return found == kKinds.end() ? nullptr : &*found;
}

const std::vector<BenchMethodPtr>& BenchMethods() {
  static const std::vector<BenchMethodPtr> methods = MakeMethods();
  return methods;
}

BenchMethodPtr FindBenchMethod(std::string_view name) {
  const size_t equals = name.find('=');
  if (equals != std::string_view::npos) {
    const std::string command(name.substr(equals + 1));
    if (equals == 0 || command.empty()) return nullptr;
    return Make({.name = std::string(name.substr(0, equals)),
                 .about = command,
                 .by = BenchMethod::By::kCommand,
                 .command = command});
  }
  const auto found = std::ranges::find(BenchMethods(), name,
                                       [](const BenchMethodPtr& each) { return each->name; });
  return found == BenchMethods().end() ? nullptr : *found;
}

}  // namespace stillframe::evaluate
