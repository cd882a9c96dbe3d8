// What it costs per GiB to arm and to open memory as a whole: by one call over all of it, in runs
// of 256 KiB as the scan does, and as a save does it in its pause and at its end. The target is an
// idle child.
//
// 2026-11-21, 2 CPUs of a shared AMD EPYC virtual machine, Linux 6.18, release build: arm_bench
//
//   ms per GiB              4 KiB pages   huge pages
//   BM_Arm                         33.0        0.065
//   BM_OpenAtOnce                  35.1        0.10
//   BM_OpenInRuns                  38.6
//   BM_PauseWork                   33.2        0.28
//   BM_Release                     35.2        0.69
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "base/clock.h"
#include "fault/fault_channel.h"
#include "save/armed_memory.h"
#include "stillframe/target.h"
#include "support/machine.h"
#include "support/memory_child.h"
#include "support/statistics.h"

namespace stillframe::bench {
namespace {

// An attached child with registered memory.
class Armable {
 public:
  Armable(Bytes memory, bool huge)
      : child_(memory, huge),
        target_(OrDie("attaching", AttachProcess(child_.pid()))),
        channel_(OrDie("connecting", FaultChannel::Connect(target_->userfaultfd()))) {
    Register();
  }
  ~Armable() { channel_.Unregister(child_.range()); }

  AddressRange range() const { return child_.range(); }
  const FaultChannel& channel() const { return channel_; }
  const Target& target() const { return *target_; }
  void Register() const {
    if (channel_.Register(range()) != RegisterOutcome::kDone) Die("registering");
  }
  void Arm() const { OrDie("arming", channel_.Arm(range())); }
  void Open(AddressRange range) const {
    if (channel_.Open(range) != OpenOutcome::kOpened) Die("opening");
  }

 private:
  MemoryChild child_;
  std::unique_ptr<Target> target_;
  FaultChannel channel_;
};

MappedPtr<TrackedMemory> ArmAll(const Armable& memory, ArmedMemory* armed) {
  Mapping mapping;
  mapping.range = memory.range();
  std::vector<PlannedMapping> plan = {
      {.mapping = mapping, .treatment = Treatment::kArm, .saved = mapping.range, .reason = {}}};
  OrDie("registering", armed->Register(&plan));
  MappedPtr<TrackedMemory> tracked = armed->MakeTracked(plan);
  OrDie("arming", armed->Arm(plan, tracked.get()));
  return tracked;
}

// Arguments: MiB, 1 for huge pages.
Armable MakeArmable(const benchmark::State& state) {
  return Armable(MiB(static_cast<uint64_t>(state.range(0))), state.range(1) != 0);
}

void Report(benchmark::State& state) {
  const double gib = static_cast<double>(state.range(0)) / 1024;
  state.counters["per_GiB"] = benchmark::Counter(
      gib, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// Times `measured` alone; `prepare` comes before and `undo` after it.
template <class Prepare, class Measured>
void Time(benchmark::State& state, Prepare prepare, Measured measured) {
  const Clock& clock = MonotonicClock();
  for (auto _ : state) {
    prepare();
    const TimePoint begin = clock.Now();
    measured();
    state.SetIterationTime(Seconds(clock.Now() - begin));
  }
  Report(state);
}

void BM_Arm(benchmark::State& state) {
  const Armable memory = MakeArmable(state);
  Time(
      state, [&] { memory.Open(memory.range()); }, [&] { memory.Arm(); });
}

void BM_OpenAtOnce(benchmark::State& state) {
  const Armable memory = MakeArmable(state);
  Time(
      state, [&] { memory.Arm(); }, [&] { memory.Open(memory.range()); });
}

void BM_OpenInRuns(benchmark::State& state) {
  const Armable memory = MakeArmable(state);
  Time(
      state, [&] { memory.Arm(); },
      [&] {
        for (TargetAddress at = memory.range().begin; at < memory.range().end; at = at + KiB(256)) {
          memory.Open({at, at + KiB(256)});
        }
      });
}

// What a save does inside its pause: registers, arms, and notes which pages exist.
void BM_PauseWork(benchmark::State& state) {
  const Armable memory = MakeArmable(state);
  ArmedMemory armed(memory.target(), memory.channel());
  MappedPtr<TrackedMemory> tracked;
  Time(
      state,
      [&] {
        armed.Release(tracked.get());
        tracked.reset();
      },
      [&] { tracked = ArmAll(memory, &armed); });
  armed.Release(tracked.get());
}

// What it does at the end, while the target runs: opens what is still armed, in steps that hold no
// lock for long, and unregisters. Here everything is still armed, the worst case: after a save that
// was given up.
void BM_Release(benchmark::State& state) {
  const Armable memory = MakeArmable(state);
  ArmedMemory armed(memory.target(), memory.channel());
  MappedPtr<TrackedMemory> tracked;
  Time(
      state, [&] { tracked = ArmAll(memory, &armed); }, [&] { armed.Release(tracked.get()); });
}

// A fixed number: huge pages are quick enough to be armed a hundred thousand times otherwise.
void PerGiB(benchmark::internal::Benchmark* function) {
  function->ArgNames({"MiB", "huge"})->Args({1024, 0})->UseManualTime();
  function->Unit(benchmark::kMillisecond)->Iterations(30);
}
void AlsoHuge(benchmark::internal::Benchmark* function) {
  PerGiB(function);
  function->Args({1024, 1});
}
BENCHMARK(BM_Arm)->Apply(AlsoHuge);
BENCHMARK(BM_OpenAtOnce)->Apply(AlsoHuge);
// Not of huge pages: the first open of a part splits each for good.
BENCHMARK(BM_OpenInRuns)->Apply(PerGiB);
BENCHMARK(BM_PauseWork)->Apply(AlsoHuge);
BENCHMARK(BM_Release)->Apply(AlsoHuge);

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) {
  stillframe::bench::PrintHeading(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
