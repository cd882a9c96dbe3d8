// How fast an idle target is saved, against a plain loop of process_vm_readv and write of the same
// memory.
//
// Times of the saver run from the instant of the image (everything is armed, the target is about
// to run again) until the image is complete and the target unregistered: attaching and the pause
// are not in them. "with pause" has both in it. The two ways take turns, and only the ratio of
// their medians within one run is a result.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "plain_copy.h"
#include "support/machine.h"
#include "support/memory_child.h"
#include "support/options.h"
#include "support/output_child.h"
#include "support/statistics.h"
#include "support/timed_save.h"

namespace stillframe::bench {
namespace {

constexpr const char* kTmpfs = "/dev/shm";

struct Rates {
  std::vector<double> plain;  // MiB/s
  std::vector<double> scan;
  std::vector<double> whole;  // the pause and attaching included
};

void NoteSave(const Result<TimedSave>& saved, Rates* rates) {
  const TimedSave save = OrDie("saving the idle target", saved);
  rates->scan.push_back(Rate(save.summary.image, save.ended - save.instant));
  rates->whole.push_back(Rate(save.summary.image, save.ended - save.began));
}

void ToTmpfs(const MemoryChild& target, Bytes step, Rates* rates) {
  {
    // Unnamed, like the saver's own file: gone with its descriptor.
    const UniqueFd file(open(kTmpfs, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (!file) Die("creating a file in /dev/shm");
    rates->plain.push_back(
        Rate(target.range().size(), CopyPlainly(target.pid(), target.range(), file.get(), step)));
  }
  const std::string image =
      std::string(kTmpfs) + "/stillframe-bench-" + std::to_string(getpid()) + ".image";
  NoteSave(SaveTimed(target.pid(), {.path = image}, {}), rates);
  unlink(image.c_str());
}

void ToPipe(const MemoryChild& target, Bytes step, Rates* rates) {
  {
    OutputChild reader;
    rates->plain.push_back(Rate(target.range().size(), CopyPlainly(target.pid(), target.range(),
                                                                   reader.descriptor(), step)));
  }
  OutputChild reader;
  NoteSave(SaveTimed(target.pid(), {.descriptor = reader.descriptor()}, {}), rates);
}

void Print(const char* output, const Rates& rates) {
  const double plain = Median(rates.plain);
  std::printf("%-8s %10.0f %10.0f %14.0f %8.2f %14.2f\n", output, plain, Median(rates.scan),
              Median(rates.whole), Median(rates.scan) / plain, Median(rates.whole) / plain);
  std::printf("%-8s %4.0f..%4.0f %4.0f..%4.0f %8.0f..%4.0f\n", "", Lowest(rates.plain),
              Highest(rates.plain), Lowest(rates.scan), Highest(rates.scan), Lowest(rates.whole),
              Highest(rates.whole));
}

int Main(int argc, char** argv) {
  int memory = 1024;
  int rounds = 9;
  int step = 256;
  ParseOptions(argc, argv, "- scan throughput against a plain copy",
               {{"memory", &memory, 16, "MiB of the target (1024)"},
                {"rounds", &rounds, 1, "How often each way takes its turn (9)"},
                {"plain-step", &step, 4, "KiB that the plain loop copies at once (256)"}});
  PrintHeading(argc, argv);
  const MemoryChild target(MiB(static_cast<uint64_t>(memory)));
  const Bytes plain_step = KiB(static_cast<uint64_t>(step));
  Rates tmpfs;
  Rates pipe;
  for (int round = 0; round < rounds; ++round) {
    ToTmpfs(target, plain_step, &tmpfs);
    ToPipe(target, plain_step, &pipe);
  }
  std::printf("MiB/s, median of %d rounds (lowest..highest below)\n", rounds);
  std::printf("%-8s %10s %10s %14s %8s %14s\n", "output", "plain", "scan", "with pause", "scan",
              "with pause");
  std::printf("%-8s %10s %10s %14s %8s %14s\n", "", "", "", "", "/plain", "/plain");
  Print("tmpfs", tmpfs);
  Print("pipe", pipe);
  return 0;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
