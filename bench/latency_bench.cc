// What a writer that writes 2,000 times a second feels of a save whose output stalls.
//
// Five kinds of rounds take turns: no save; a save to /dev/null ("discard"); a save to a pipe
// whose reader throws everything away ("drain"); a save to a pipe whose reader stalls 50 ms in
// every 250 ("stall"); and a control, which saves to the same kind of output as "stall" by one
// thread that writes to it before it opens a page. All saves have the same --max-bandwidth, such
// that each takes most of its round. Latency counts from the intended time of each write.
//
// "late": writes over 5 ms in the round. "late saving": those of them intended while pages were
// being saved. Without those, that is, that the pause made late, as many as fall due in it: every
// save has them whatever its output does, and one pause is longer than another. "drain" is not
// held against anything: it tells what of "stall" comes from the pipe and its reader, and not from
// the stalls.
#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "latency_round.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/statistics.h"

namespace stillframe::bench {
namespace {

// Late writes in a round without any save, on a machine that has nothing else to do.
constexpr double kQuiet = 20;

using Results = std::map<RoundKind, std::vector<RoundResult>>;

double MedianOf(const std::vector<RoundResult>& rounds, uint64_t RoundResult::*count) {
  std::vector<double> values;
  for (const RoundResult& round : rounds) values.push_back(static_cast<double>(round.*count));
  return Median(values);
}

double Milliseconds(Duration duration) { return Seconds(duration) * 1e3; }

void PrintRound(int number, RoundKind kind, const RoundResult& round) {
  std::printf("%5d %-8s %6lu %12lu %10.1f %10.1f %8.2f %9lu %7lu %6lu\n", number,
              NameOf(kind).data(), round.late, round.late_in_save, Milliseconds(round.worst),
              Milliseconds(round.pause), Seconds(round.save), round.faulted, round.stalls,
              round.stage_full);
  std::fflush(stdout);
}

// The longest ones only: beside other work there are hundreds.
void PrintStretches(RoundResult round) {
  std::sort(round.stretches.begin(), round.stretches.end(),
            [](const LateStretch& a, const LateStretch& b) { return a.worst > b.worst; });
  for (size_t i = 0; i < std::min<size_t>(round.stretches.size(), 5); ++i) {
    const LateStretch& stretch = round.stretches[i];
    std::printf("      at %7.1f ms, for %6.1f ms: %4lu late, worst %5.1f ms\n",
                Milliseconds(stretch.begin - round.began),
                Milliseconds(stretch.end - stretch.begin), stretch.writes,
                Milliseconds(stretch.worst));
  }
}

// Whether the stalling output made no more writes late than the worse of the two it is held
// against.
bool Holds(const Results& results, const char* name, uint64_t RoundResult::*count) {
  const double none = MedianOf(results.at(RoundKind::kNoSave), count);
  const double discard = MedianOf(results.at(RoundKind::kDiscard), count);
  const double stall = MedianOf(results.at(RoundKind::kStall), count);
  const bool holds = stall <= std::max(none, discard);
  std::printf("%-28s stall %.1f, discard %.1f, no save %.1f, drain %.1f, control %.1f: %s\n", name,
              stall, discard, none, MedianOf(results.at(RoundKind::kDrain), count),
              MedianOf(results.at(RoundKind::kControl), count), holds ? "met" : "MISSED");
  return holds;
}

// Whether the run can tell anything: the control's stalls were seen, and the stage had room.
bool Counts(const Results& results) {
  const double control = MedianOf(results.at(RoundKind::kControl), &RoundResult::late_in_save);
  const double stalls = MedianOf(results.at(RoundKind::kControl), &RoundResult::stalls);
  const double none = MedianOf(results.at(RoundKind::kNoSave), &RoundResult::late_in_save);
  bool counts = true;
  if (none > kQuiet) {
    std::printf("this machine was not quiet: %.0f late writes in a round without a save\n", none);
  }
  // Beside other work writes are late without any stall as well.
  double otherwise = none;
  for (const RoundKind kind : {RoundKind::kDiscard, RoundKind::kDrain}) {
    otherwise = std::max(otherwise, MedianOf(results.at(kind), &RoundResult::late_in_save));
  }
  if (stalls < 1 || control <= otherwise + stalls) {
    std::printf("THIS RUN DOES NOT COUNT: the control does not show the stalls of its output\n");
    counts = false;
  }
  const auto& stalling = results.at(RoundKind::kStall);
  const auto full = std::count_if(stalling.begin(), stalling.end(),
                                  [](const RoundResult& round) { return round.stage_full > 0; });
  if (full > 0) {
    std::printf("THIS RUN DOES NOT COUNT: in %ld rounds the stage was full\n", full);
    counts = false;
  }
  if (MedianOf(stalling, &RoundResult::stalls) < 1) {
    std::printf("THIS RUN DOES NOT COUNT: the output never stalled during a save\n");
    counts = false;
  }
  return counts;
}

int Main(int argc, char** argv) {
  int memory = 1024;
  int rounds = 10;
  int seconds = 10;
  int rate = 2000;
  int show_late = 0;
  ParseOptions(argc, argv, "- write latency while the output stalls",
               {{"memory", &memory, 16, "MiB of the target (1024)"},
                {"rounds", &rounds, 1, "How often each kind takes its turn (10)"},
                {"seconds", &seconds, 1, "Of each round (10)"},
                {"rate", &rate, 1, "Writes per second (2000)"},
                {"show-late", &show_late, 0, "1: when late writes were (0)"}});
  PrintHeading(argc, argv);
  const Bytes size = MiB(static_cast<uint64_t>(memory));
  RoundPlan plan;
  plan.length = std::chrono::seconds(seconds);
  // Three fifths of the round at this bandwidth, and somewhat longer with the stalls.
  plan.bandwidth = size * 5 / (3 * static_cast<uint64_t>(seconds));
  const PacedWriter writer(size, rate);
  std::printf("%5s %-8s %6s %12s %10s %10s %8s %9s %7s %6s\n", "round", "kind", "late",
              "late saving", "worst ms", "pause ms", "save s", "faulted", "stalls", "full");
  Results results;
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < kAllKinds.size(); ++i) {
      // Another order each time: nothing always follows the same.
      const RoundKind kind = kAllKinds[(i + static_cast<size_t>(round)) % kAllKinds.size()];
      const RoundResult result = RunRound(kind, writer, plan);
      results[kind].push_back(result);
      PrintRound(round + 1, kind, result);
      if (show_late != 0) PrintStretches(result);
    }
  }
  std::printf(
      "\nmedians of %d rounds of %d s; aim: stall not above the larger of discard and no save\n",
      rounds, seconds);
  bool holds = Holds(results, "writes over 5 ms", &RoundResult::late);
  holds = Holds(results, "writes over 5 ms, no pauses", &RoundResult::late_in_save) && holds;
  return Counts(results) && holds ? 0 : 1;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
