// What it takes to write a large file until it is durable and has its name: through the page cache,
// and past it as FileStore does from 1 MiB on. The bytes are random, the pieces of 256 KiB, as the
// image writer's. The ways take turns.
//
// CPU time is that of this process; the kernel's own threads, which write the page cache back, are
// not in it. "busy": another process keeps a CPU busy meanwhile.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mapped_memory.h"
#include "store/file_store.h"
#include "support/child_process.h"
#include "support/cpu_time.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/statistics.h"

namespace stillframe::bench {
namespace {

constexpr Bytes kSource = MiB(256);
constexpr Bytes kPiece = KiB(256);

struct Figures {
  std::vector<double> seconds;
  std::vector<double> cpu_seconds;
};

MappedArray<uint64_t> MakeSource() {
  MappedArray<uint64_t> source(kSource.count / sizeof(uint64_t));
  std::mt19937_64 random(1);
  for (uint64_t& word : source) word = random();
  return source;
}

int Spin() {
  for (std::atomic<int> turns = 0;;) turns.fetch_add(1, std::memory_order_relaxed);
}

// Whether it went the way it should.
bool Write(const std::string& path, std::span<std::byte> source, Bytes size, bool direct,
           Figures* figures) {
  const TimePoint begin = MonotonicClock().Now();
  const double cpu = CpuSeconds();
  bool as_asked = true;
  {
    const auto store = OrDie("creating the file", FileStore::Open(path, {.direct = direct}));
    for (uint64_t at = 0; at < size.count; at += kPiece.count) {
      const iovec part{.iov_base = &source[at % kSource.count],
                       .iov_len = std::min(kPiece.count, size.count - at)};
      OrDie("writing", store->Append({&part, 1}));
    }
    as_asked = store->way() == (direct && size > FileStore::kHead ? FileStore::Way::kDirect
                                                                  : FileStore::Way::kPageCache);
    OrDie("publishing", store->Publish());
  }
  figures->cpu_seconds.push_back(CpuSeconds() - cpu);
  figures->seconds.push_back(Seconds(MonotonicClock().Now() - begin));
  unlink(path.c_str());
  return as_asked;
}

// Whether all went the ways they should.
bool Measure(const std::string& path, std::span<std::byte> source, Bytes size, bool busy,
             int rounds) {
  std::array<Figures, 2> ways;
  bool as_asked = true;
  {
    const auto spinner = busy ? StartChild(Spin) : nullptr;
    for (int round = 0; round < rounds; ++round) {
      for (const bool direct : {false, true}) {
        as_asked = Write(path, source, size, direct, &ways[direct]) && as_asked;
      }
    }
  }
  const double mib = static_cast<double>(size.count) / static_cast<double>(MiB(1).count);
  for (const bool direct : {false, true}) {
    const Figures& way = ways[direct];
    std::printf("%8.0f %-5s %-10s %8.0f %8.0f %8.0f %8.1f %10.2f\n", mib, busy ? "busy" : "idle",
                direct ? "direct" : "page cache", mib / Highest(way.seconds),
                mib / Median(way.seconds), mib / Lowest(way.seconds),
                Median(way.cpu_seconds) * 1000, Median(way.cpu_seconds) * 1024 / mib);
  }
  std::fflush(stdout);
  return as_asked;
}

int Main(int argc, char** argv) {
  int largest = 4096;
  int rounds = 5;
  ParseOptions(argc, argv, "- writing a file through the page cache and past it",
               {{"largest", &largest, 64, "MiB of the largest file (4096)"},
                {"rounds", &rounds, 1, "How often each way takes its turn (5)"}});
  PrintHeading(argc, argv);
  const char* directory = std::getenv("TMPDIR");
  const std::string path = std::string(directory != nullptr ? directory : "/var/tmp") +
                           "/stillframe-store-bench-" + std::to_string(getpid());
  const MappedArray<uint64_t> source = MakeSource();
  const std::span bytes = std::as_writable_bytes(std::span(source.data(), source.size()));
  std::printf("%8s %-5s %-10s %8s %8s %8s %8s %10s\n", "MiB", "", "way", "lowest", "MiB/s",
              "highest", "CPU ms", "CPU s/GiB");
  bool as_asked = true;
  // Small ones in more rounds: they are quick, and what they take varies more.
  for (const uint64_t mib : {16u, 24u, 32u, 64u, 256u}) {
    as_asked = Measure(path, bytes, MiB(mib), false, 5 * rounds) && as_asked;
  }
  for (const bool busy : {false, true}) {
    const Bytes size = MiB(static_cast<uint64_t>(largest));
    as_asked = Measure(path, bytes, size, busy, rounds) && as_asked;
  }
  if (!as_asked) std::puts("the direct way can't be had there, or was given up");
  return as_asked ? 0 : 1;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
