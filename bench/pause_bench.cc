// How long a save stops its target: by size of memory, number of threads and rate of writes, beside
// fork() of the same process. Each save is given up right after its pause.
//
// Columns, medians over the rounds, in microseconds: all of the pause; its stopping and resuming;
// the rest; what of that is arming, and copying; the pause as a thread saw it that only reads the
// clock; how long of that it was ready to run and waited for a CPU, and the longest other gap that
// it saw (the stop for registering, and the scheduler); fork(); the pause against it, without and
// with stopping and resuming. `rounds`: of the pre-arm; `met`: in how many saves the pause met its
// limit.
//
// With --maps: the longest call of a thread that maps and unmaps all the time, before the instant,
// after it, which is the end of the save, and in as long a time without any save.
#include <array>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
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
  explicit NoSink(bool repeats) : repeats_(repeats) {}
  Result<void> Write(TargetAddress, std::span<const std::byte>, PageSource) override { return {}; }
  Result<void> Zero(AddressRange) override { return {}; }
  Result<void> Lost(AddressRange, std::string_view) override { return {}; }
  Result<void> Finish(const ImageMetadata&) override { return {}; }
  void Interrupt() override {}
  Result<void> AllowRepeats() override {
    return repeats_ ? Result<void>() : PageSink::AllowRepeats();
  }
  SinkCounters counters() const override { return {}; }

 private:
  const bool repeats_;
};

struct Columns {
  std::vector<double> pause, stopping, rest, arm, copy, outside, for_cpu, gap, fork, rounds, slowed;
  std::vector<double> early, late, without;
  int met = 0;
};

double Microseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000; }

SaveSummary PauseOnce(BusyChild& child, bool repeats) {
  auto target = OrDie("attaching", AttachProcess(child.pid()));
  SaveSession* session = nullptr;
  SaveOptions options;
  options.on_full = OnFull::kWait;
  options.at_instant = [&session, &child](pid_t) {
    child.NoteInstant();
    session->Cancel();
    return Result<void>();
  };
  const auto made =
      OrDie("a session",
            SaveSession::Create(std::move(target), std::make_unique<NoSink>(repeats), options));
  session = made.get();
  const auto saved = session->Run();
  if (saved || saved.error().code != ErrorCode::kInterrupted) Die("saving: not as intended");
  return session->Summary();
}

void NoteSeen(const BusyChild::Seen& seen, const SaveSummary& summary, Columns* columns) {
  // What we do ourselves at the instant is no part of the pause.
  columns->outside.push_back(Microseconds(seen.instant - summary.at_instant));
  columns->for_cpu.push_back(Microseconds(seen.for_cpu));
  columns->gap.push_back(Microseconds(seen.gap));
  columns->early.push_back(Microseconds(seen.early));
  columns->late.push_back(Microseconds(seen.late));
}

Columns Measure(const Habits& habits, bool repeats, int rounds) {
  BusyChild child(habits);
  Columns columns;
  for (int round = 0; round < rounds; ++round) {
    child.TakeSeen();
    const TimePoint begin = MonotonicClock().Now();
    const SaveSummary summary = PauseOnce(child, repeats);
    const Duration took = MonotonicClock().Now() - begin;
    NoteSeen(child.TakeSeen(), summary, &columns);
    if (habits.maps) {
      std::this_thread::sleep_for(took);
      columns.without.push_back(Microseconds(child.TakeSeen().early));
    }
    const Duration stopping = summary.paused.stop + summary.paused.resume;
    columns.pause.push_back(Microseconds(summary.pause));
    columns.stopping.push_back(Microseconds(stopping));
    columns.rest.push_back(Microseconds(summary.pause - stopping));
    columns.arm.push_back(Microseconds(summary.paused.arm));
    columns.copy.push_back(Microseconds(summary.paused.copy));
    columns.rounds.push_back(static_cast<double>(summary.prearm.rounds));
    columns.slowed.push_back(Microseconds(summary.prearm.slowed));
    if (summary.paused.limit_met) ++columns.met;
    if (round % 2 == 0) columns.fork.push_back(Microseconds(child.Fork()));
  }
  return columns;
}

void PrintRow(const Habits& habits, int rounds, const Columns& columns) {
  const double pause = Median(columns.pause);
  const double rest = Median(columns.rest);
  const double fork = Median(columns.fork);
  std::printf("| %" PRIu64
              " MiB | %d | %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f "
              "| %.0f | 1/%.0f | 1/%.0f | %.0f | %d/%d |",
              habits.memory.count / MiB(1).count, habits.threads,
              habits.rate == 0 ? "max" : std::to_string(habits.rate).c_str(), pause,
              Median(columns.stopping), rest, Median(columns.arm), Median(columns.copy),
              Median(columns.outside), Median(columns.for_cpu), Median(columns.gap), fork,
              fork / rest, fork / pause, Median(columns.rounds), columns.met, rounds);
  if (habits.maps) {
    std::printf(" %.0f | %.0f | %.0f |", Median(columns.early), Median(columns.late),
                Median(columns.without));
  }
  std::printf("\n");
  std::fflush(stdout);
}

void PrintHead(bool maps) {
  std::printf(
      "| memory | threads | writes/s | pause | stop+resume | rest | arm | copy | outside | for a "
      "CPU | other gap | fork() | rest:fork | pause:fork | rounds | met |%s\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|%s\n",
      maps ? " call before | call at the end | call without |" : "", maps ? "---|---|---|" : "");
}

int Main(int argc, char** argv) {
  int largest = 8;
  int rounds = 10;
  int only_threads = 0;
  int only_rate = -1;
  int maps = 0;
  int discards = 0;
  int reserved = 0;
  int files = 0;
  int huge = 0;
  ParseOptions(
      argc, argv, "the pause of a save, by memory, threads and write rate",
      {{"largest", &largest, 1, "Leave out memory above so many GiB"},
       {"rounds", &rounds, 1, "Saves of each"},
       {"threads", &only_threads, 0, "Only with so many; 0: 2 and 64"},
       {"rate", &only_rate, -1, "Only so many writes per second; 0: at full speed"},
       {"maps", &maps, 0, "1: a thread maps and unmaps all the time"},
       {"discards", &discards, 0, "1: a thread discards all the time"},
       {"reserved", &reserved, 0, "200 MiB scattered over so many GiB, and nothing else"},
       {"huge", &huge, 0, "1: in transparent huge pages"},
       {"files", &files, 0,
        "1: a private mapping of a file; 2: and an output that takes each page once only, so that "
        "all of it is copied in the pause"}});
  PrintHeading(argc, argv);
  PrintHead(maps != 0);
  std::vector<Bytes> sizes = {GiB(1), GiB(4), GiB(8)};
  std::erase_if(sizes, [&](Bytes size) { return size > GiB(static_cast<uint64_t>(largest)); });
  if (reserved > 0) sizes = {MiB(200)};
  const std::vector<int> all_threads =
      only_threads > 0 ? std::vector<int>{only_threads} : std::vector<int>{2, 64};
  for (const int rate : {2000, 0}) {
    for (const int threads : all_threads) {
      if (only_rate >= 0 && rate != only_rate) continue;
      for (const Bytes size : sizes) {
        const Habits habits{.memory = size,
                            .threads = threads,
                            .rate = rate,
                            .reserved = GiB(static_cast<uint64_t>(reserved)),
                            .maps = maps != 0,
                            .discards = discards != 0,
                            .huge = huge != 0,
                            .of_file = files != 0};
        PrintRow(habits, rounds, Measure(habits, files == 1, rounds));
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
