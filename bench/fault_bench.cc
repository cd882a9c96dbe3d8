// The round trip of a write fault, seen by the writer: a thread of a child that writes to armed
// pages one after the other, served by the real FaultTracker on its own thread. copy:1 copies each
// page to the stage, as in a save; copy:0 only opens it, as when a save is over; BM_PlainWrite has
// nothing armed. Pages lie 4 KiB apart; p50 and p99 are of single writes, tracker_p50 is the part
// of it that the tracker can see.
//
// 2026-11-21, 2 CPUs of a shared AMD EPYC virtual machine, Linux 6.18, release build: fault_bench
//
//                             mean      p50      p99   tracker_p50
//   BM_FaultRoundTrip/copy:1  82 us    82 us   125 us         22 us
//   BM_FaultRoundTrip/copy:0  72 us    72 us   117 us
//   BM_PlainWrite             43 ns    40 ns    60 ns
#include <benchmark/benchmark.h>

#include <memory>
#include <optional>

#include "stillframe/target.h"
#include "support/machine.h"
#include "support/memory_child.h"
#include "support/statistics.h"
#include "tracker_rig.h"

namespace stillframe::bench {
namespace {

constexpr uint64_t kPages = 4096;

double Microseconds(Duration duration) { return Seconds(duration) * 1e6; }

void Report(benchmark::State& state, const MemoryChild& child) {
  const auto writes = static_cast<double>(kPages);
  state.counters["per_write"] = benchmark::Counter(
      writes, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["writes/s"] =
      benchmark::Counter(writes, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["p50_us"] = Microseconds(child.waits().Quantile(0.5));
  state.counters["p99_us"] = Microseconds(child.waits().Quantile(0.99));
}

void BM_FaultRoundTrip(benchmark::State& state) {
  const bool copying = state.range(0) != 0;
  MemoryChild child(ToBytes(Pages{kPages}));
  const std::unique_ptr<Target> target = OrDie("attaching", AttachProcess(child.pid()));
  const FaultChannel channel = OrDie("connecting", FaultChannel::Connect(target->userfaultfd()));
  Duration tracker_p50{0};
  for (auto _ : state) {
    const TrackerRig rig(*target, channel, child.range(), copying);
    state.SetIterationTime(Seconds(child.Write(0, kPages)));
    tracker_p50 = rig.waits().Quantile(0.5);
    if (copying && rig.waits().count() != kPages) {
      state.SkipWithError("not every write faulted exactly once");
      return;
    }
  }
  Report(state, child);
  if (copying) state.counters["tracker_p50_us"] = Microseconds(tracker_p50);
}

void BM_PlainWrite(benchmark::State& state) {
  MemoryChild child(ToBytes(Pages{kPages}));
  for (auto _ : state) state.SetIterationTime(Seconds(child.Write(0, kPages)));
  Report(state, child);
}

BENCHMARK(BM_FaultRoundTrip)
    ->ArgName("copy")
    ->Arg(1)
    ->Arg(0)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);
BENCHMARK(BM_PlainWrite)->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(0.2);

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) {
  stillframe::bench::PrintHeading(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
