// The round trip of a write fault, as the writer sees it: threads of a child that write to armed
// pages one after the other, each write a fault. Held against each other are the tracker as it is
// in a save, and a bare handler, a thread that only reads the fault, copies the page and opens it.
// Either sleeps between two faults (block) or never does (spin); the tracker also as it does unless
// told otherwise (auto).
//
// All take turns in one run. A round is 20,000 writes. Columns, medians over the rounds, in
// microseconds: one write; and the ratio to the bare handler that waits in the same way (for auto:
// that blocks), of the medians.
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bare_handler.h"
#include "fault_writers.h"
#include "stillframe/target.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/statistics.h"
#include "tracker_rig.h"

namespace stillframe::bench {
namespace {

struct Method {
  const char* name;
  std::optional<TrackerWait> tracker;  // none: the bare handler
  bool spins;                          // which that does
  size_t against;                      // the method that it is held against
};

constexpr std::array<Method, 5> kMethods = {{{"bare, block", std::nullopt, false, 0},
                                             {"bare, spin", std::nullopt, true, 1},
                                             {"tracker, block", TrackerWait::kBlock, false, 0},
                                             {"tracker, spin", TrackerWait::kSpin, false, 1},
                                             {"tracker, auto", TrackerWait::kAuto, false, 0}}};

struct Columns {
  std::vector<double> p50, p99, p999, rate;
};

double Quantile(const std::vector<double>& sorted, double part) {
  return sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))];
}

FaultWriters::Round WriteUnder(const Method& method, const Target& target,
                               const FaultChannel& channel, FaultWriters& writers) {
  if (!method.tracker) {
    const BareHandler handler(target, channel, writers.range(), method.spins);
    return writers.Write();
  }
  const TrackerRig rig(target, channel, writers.range(), *method.tracker);
  FaultWriters::Round round = writers.Write();
  // A few at the borders between two threads' pages may have been opened along.
  if (rig.waits().count() < FaultWriters::kWrites * 99 / 100) Die("not every write faulted");
  return round;
}

void Note(const FaultWriters::Round& round, Columns* columns) {
  columns->p50.push_back(Quantile(round.waits, 0.5));
  columns->p99.push_back(Quantile(round.waits, 0.99));
  columns->p999.push_back(Quantile(round.waits, 0.999));
  columns->rate.push_back(static_cast<double>(FaultWriters::kWrites) / Seconds(round.took));
}

void Print(int threads, const std::array<Columns, kMethods.size()>& all) {
  for (size_t i = 0; i < kMethods.size(); ++i) {
    const Columns& own = all[i];
    const Columns& bare = all[kMethods[i].against];
    std::printf("| %d | %-14s | %.1f | %.1f | %.1f | %.0f | %.2f | %.2f | %.2f |\n", threads,
                kMethods[i].name, Median(own.p50), Median(own.p99), Median(own.p999),
                Median(own.rate), Median(own.p50) / Median(bare.p50),
                Median(own.p999) / Median(bare.p999), Median(own.rate) / Median(bare.rate));
  }
  std::fflush(stdout);
}

void Measure(int threads, int rounds, size_t only) {
  FaultWriters writers(threads);
  const std::unique_ptr<Target> target = OrDie("attaching", AttachProcess(writers.pid()));
  const FaultChannel channel = OrDie("connecting", FaultChannel::Connect(target->userfaultfd()));
  std::array<Columns, kMethods.size()> all;
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < kMethods.size(); ++i) {
      if (only > 0 && i + 1 != only) continue;
      Note(WriteUnder(kMethods[i], *target, channel, writers), &all[i]);
    }
  }
  Print(threads, all);
}

int Main(int argc, char** argv) {
  int rounds = 11;
  int only_threads = 0;
  int only_method = 0;
  ParseOptions(argc, argv, "the round trip of a write fault, beside a bare handler",
               {{"rounds", &rounds, 1, "Of each"},
                {"threads", &only_threads, 0, "Only so many writers; 0: 1, 2, 4 and 16"},
                {"method", &only_method, 0, "Only that row of each table, for a profile; 0: all"}});
  PrintHeading(argc, argv);
  std::printf(
      "| writers | handler | p50 | p99 | p99.9 | faults/s | p50 to bare | p99.9 to bare | "
      "faults/s to bare |\n|---|---|---|---|---|---|---|---|---|\n");
  for (const int threads : {1, 2, 4, 16}) {
    if (only_threads == 0 || threads == only_threads)
      Measure(threads, rounds, static_cast<size_t>(only_method));
  }
  return 0;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
