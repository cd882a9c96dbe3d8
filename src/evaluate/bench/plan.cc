#include "evaluate/bench/plan.h"

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

// With nothing but a name: the rest is filled in.
std::shared_ptr<BenchMethod> Named(std::string name, std::string about) {
  auto method = std::make_shared<BenchMethod>();
  method->name = std::move(name);
  method->about = std::move(about);
  return method;
}

BenchMethodPtr ByPolicy(const std::string& policy) {
  auto method = Named(policy, "save --throttle " + policy);
  method->options.throttle.policy = policy;
  return method;
}

BenchMethodPtr ByWay(Via via, bool usual = true) {
  const std::string name(ViaName(via));
  auto method = Named(name, "save --via " + name);
  method->options.via = via;
  method->usual = usual;
  return method;
}

BenchMethodPtr WithALateInstant() {
  auto method = Named("late", "save --instant late");
  method->options.instant = Instant::kLate;
  method->usual = false;
  return method;
}

BenchMethodPtr WithoutASave() {
  auto method = Named("none", "no save");
  method->by = BenchMethod::By::kNobody;
  return method;
}

BenchMethodPtr ByItself() {
  auto method = Named("self-fork", "the workload forks, the child writes its memory out");
  method->by = BenchMethod::By::kItself;
  method->usual = false;
  return method;
}

BenchMethodPtr ByCommand(std::string_view name, std::string_view command) {
  auto method = Named(std::string(name), std::string(command));
  method->by = BenchMethod::By::kCommand;
  method->command = command;
  return method;
}

std::vector<BenchMethodPtr> MakeMethods() {
  std::vector<BenchMethodPtr> all;
  all.push_back(WithoutASave());
  for (const char* policy : {"skip", "ramp", "adaptive", "off"}) all.push_back(ByPolicy(policy));
  all.push_back(ByWay(Via::kFork));
  all.push_back(ByWay(Via::kStop));
  all.push_back(ByWay(Via::kPrecopy, false));  // needs Linux 6.7
  all.push_back(WithALateInstant());
  all.push_back(ByItself());
  return all;
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
    const std::string_view command = name.substr(equals + 1);
    if (equals == 0 || command.empty()) return nullptr;
    return ByCommand(name.substr(0, equals), command);
  }
  const auto found = std::ranges::find(BenchMethods(), name,
                                       [](const BenchMethodPtr& each) { return each->name; });
  return found == BenchMethods().end() ? nullptr : *found;
}

}  // namespace stillframe::evaluate
