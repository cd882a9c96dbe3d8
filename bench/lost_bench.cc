// How many pages a save loses to a target that gives memory back: malloc/free churn at several
// rates beside 1 GiB of other memory.
//
// Blocks of 64 KiB to 1 MiB, each a mapping of its own, so that each free unmaps; munmap tells
// only afterwards. "lost share": pages lost over pages present at the pause. "unmaps": unmap
// events during the save. Medians over the saves, the highest share beside it.
//
// 2026-11-21, 2 CPUs of a shared AMD EPYC virtual machine, Linux 6.18, release build: lost_bench
//
//   frees/s   present   lost    share   highest   unmaps
//       100    271227    443   0.163%    0.341%       41
//      1000    271312    889   0.329%    0.703%       63
//     10000    271200    694   0.256%    0.600%       63
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "churn_target.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/statistics.h"
#include "support/timed_save.h"

namespace stillframe::bench {
namespace {

constexpr double kAim = 0.001;
constexpr int kAimRate = 100;
constexpr Duration kBetween = std::chrono::milliseconds(300);

struct Churned {
  std::vector<double> present;
  std::vector<double> lost;
  std::vector<double> share;
  std::vector<double> unmaps;
  std::vector<double> seconds;
  std::vector<double> frees;        // a second, while the save was under way
  std::vector<double> frees_alone;  // the same just before it
};

void SaveOnce(const ChurnTarget& target, const SaveOptions& options, bool show, Churned* churned) {
  const std::string image = "/dev/shm/stillframe-bench-" + std::to_string(getpid()) + ".image";
  const uint64_t alone = target.Frees();
  std::this_thread::sleep_for(kBetween);
  const uint64_t before = target.Frees();
  churned->frees_alone.push_back(static_cast<double>(before - alone) / Seconds(kBetween));
  const TimedSave save = OrDie("saving", SaveTimed(target.pid(), {.path = image}, options));
  const uint64_t frees = target.Frees() - before;
  unlink(image.c_str());
  // Pages that were there and held only zeros count as zero, with the holes: a few, since all
  // memory was filled.
  const SinkCounters& pages = save.summary.pages;
  const Pages present = pages.scanned + pages.faulted + pages.paused + pages.lost;
  churned->present.push_back(static_cast<double>(present.count));
  churned->lost.push_back(static_cast<double>(pages.lost.count));
  churned->share.push_back(static_cast<double>(pages.lost.count) /
                           static_cast<double>(present.count));
  churned->unmaps.push_back(static_cast<double>(save.summary.unmaps));
  churned->seconds.push_back(Seconds(save.ended - save.instant));
  if (show) {
    std::printf("    lost %6lu pages in %3zu ranges, %4lu unmaps, pause %5.1f ms, save %6.1f ms\n",
                pages.lost.count, save.summary.lost.size(), save.summary.unmaps,
                Seconds(save.summary.pause) * 1e3, churned->seconds.back() * 1e3);
  }
  churned->frees.push_back(static_cast<double>(frees) / Seconds(save.ended - save.began));
}

void Print(int rate, const Churned& churned) {
  std::printf("%8d %9.0f %9.0f %9.0f %8.0f %8.4f%% %8.4f%% %8.0f %8.2f", rate,
              Median(churned.frees_alone), Median(churned.frees), Median(churned.present),
              Median(churned.lost), Median(churned.share) * 100, Highest(churned.share) * 100,
              Median(churned.unmaps), Median(churned.seconds));
  if (rate == kAimRate) {
    std::printf("  aim < %.1f%%: %s", kAim * 100, Median(churned.share) < kAim ? "met" : "MISSED");
  }
  std::printf("\n");
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  int memory = 1024;
  int saves = 9;
  int blocks = 64;
  int bandwidth = 0;
  int show = 0;
  ParseOptions(argc, argv, "- pages lost to malloc/free churn",
               {{"memory", &memory, 16, "MiB beside the churn (1024)"},
                {"saves", &saves, 1, "Of each rate (9)"},
                {"blocks", &blocks, 1, "Of the churn at any time (64)"},
                {"max-bandwidth", &bandwidth, 0, "MiB a second, 0: no limit (0)"},
                {"show-saves", &show, 0, "1: a line for each save (0)"}});
  PrintHeading(argc, argv);
  SaveOptions options;
  options.max_bandwidth = MiB(static_cast<uint64_t>(bandwidth));
  std::printf("%8s %9s %9s %9s %8s %9s %9s %8s %8s\n", "frees/s", "frees/s", "frees/s", "pages",
              "pages", "lost", "lost", "unmaps", "save");
  std::printf("%8s %9s %9s %9s %8s %9s %9s %8s %8s\n", "asked", "alone", "saved", "present", "lost",
              "share", "highest", "", "s");
  bool met = true;
  for (const int rate : {100, 1000, 10000}) {
    const ChurnTarget target(MiB(static_cast<uint64_t>(memory)), rate, blocks);
    Churned churned;
    for (int i = 0; i < saves; ++i) {
      SaveOnce(target, options, show != 0, &churned);
    }
    Print(rate, churned);
    if (rate == kAimRate) met = Median(churned.share) < kAim;
  }
  return met ? 0 : 1;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
