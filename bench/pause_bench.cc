// How long a save stops its target: by size of memory, number of threads and rate of writes, beside
// fork() of the same process. Each save is given up right after its pause.
//
// Columns, medians over the rounds, in microseconds: all of the pause; its stopping and resuming;
// the rest; the longest gap that a thread saw that only reads the clock (which on two CPUs tells of
// the scheduler where writers are many); fork(); the pause against it, without and with stopping
// and resuming. `rounds`: of the pre-arm; `met`: in how many saves the pause met its limit.
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "busy_child.h"
#include "stillframe/page_sink.h"
#include "stillframe/save.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/statistics.h"

namespace stillframe::bench {
namespace {

// Takes everything.
class NoSink final : public PageSink {
 public:
  Result<void> Write(TargetAddress, std::span<const std::byte>, PageSource) override { return {}; }
  Result<void> Zero(AddressRange) override { return {}; }
  Result<void> Lost(AddressRange, std::string_view) override { return {}; }
  Result<void> Finish(const ImageMetadata&) override { return {}; }
  void Interrupt() override {}
  SinkCounters counters() const override { return {}; }
};

struct Columns {
  std::vector<double> pause, stopping, rest, gap, fork, rounds, slowed;
  int met = 0;
};

double Microseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000; }

SaveSummary PauseOnce(pid_t pid) {
  auto target = OrDie("attaching", AttachProcess(pid));
  SaveSession* session = nullptr;
  SaveOptions options;
  options.on_full = OnFull::kWait;
  options.at_instant = [&session](pid_t) {
    session->Cancel();
    return Result<void>();
  };
  const auto made = OrDie(
      "a session", SaveSession::Create(std::move(target), std::make_unique<NoSink>(), options));
  session = made.get();
  const auto saved = session->Run();
  if (saved || saved.error().code != ErrorCode::kInterrupted) Die("saving: not as intended");
  return session->Summary();
}

Columns Measure(Bytes memory, int threads, int rate, int rounds) {
  BusyChild child(memory, threads, rate);
  Columns columns;
  for (int round = 0; round < rounds; ++round) {
    child.TakeLongestGap();
    const SaveSummary summary = PauseOnce(child.pid());
    columns.gap.push_back(Microseconds(child.TakeLongestGap()));
    const Duration stopping = summary.paused.stop + summary.paused.resume;
    columns.pause.push_back(Microseconds(summary.pause));
    columns.stopping.push_back(Microseconds(stopping));
    columns.rest.push_back(Microseconds(summary.pause - stopping));
    columns.rounds.push_back(static_cast<double>(summary.prearm.rounds));
    columns.slowed.push_back(Microseconds(summary.prearm.slowed));
    if (summary.paused.limit_met) ++columns.met;
    if (round % 2 == 0) columns.fork.push_back(Microseconds(child.Fork()));
  }
  return columns;
}

void PrintRow(int gib, int threads, int rate, int rounds, const Columns& columns) {
  const double pause = Median(columns.pause);
  const double rest = Median(columns.rest);
  const double fork = Median(columns.fork);
  std::printf(
      "| %d GiB | %d | %s | %.0f | %.0f | %.0f | %.0f | %.0f | 1/%.0f | 1/%.0f | %.0f | %d/%d |\n",
      gib, threads, rate == 0 ? "max" : std::to_string(rate).c_str(), pause,
      Median(columns.stopping), rest, Median(columns.gap), fork, fork / rest, fork / pause,
      Median(columns.rounds), columns.met, rounds);
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  int largest = 8;
  int rounds = 10;
  int only_threads = 0;
  int only_rate = -1;
  ParseOptions(argc, argv, "the pause of a save, by memory, threads and write rate",
               {{"largest", &largest, 1, "Leave out memory above so many GiB"},
                {"rounds", &rounds, 1, "Saves of each"},
                {"threads", &only_threads, 0, "Only with so many; 0: 2 and 64"},
                {"rate", &only_rate, -1, "Only so many writes per second; 0: at full speed"}});
  PrintHeading(argc, argv);
  std::printf(
      "| memory | threads | writes/s | pause | stop+resume | rest | gap | fork() | rest:fork | "
      "pause:fork | rounds | met |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const int rate : {2000, 0}) {
    for (const int threads : {2, 64}) {
      for (const int gib : {1, 4, 8}) {
        if (gib > largest || (only_threads > 0 && threads != only_threads) ||
            (only_rate >= 0 && rate != only_rate)) {
          continue;
        }
        PrintRow(gib, threads, rate, rounds,
                 Measure(GiB(static_cast<uint64_t>(gib)), threads, rate, rounds));
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
