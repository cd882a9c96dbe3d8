// What compression costs a save, and what it gains: the rate at which an idle target's memory is
// saved without it, by LZ4 and by zstd, to outputs of three speeds. The ways take turns; only
// ratios within one run are a result.
//
// "slow": a pipe whose reader takes --slow MiB/s: the output is the limit. "disk": a file in
// /var/tmp. "null": /dev/null, where the CPUs are the limit: there the rate is held against that of
// the bare codec, by blocks of the size the writer takes: on one core, times the cores that the
// save kept busy; and on all CPUs at once, which may be less than so many cores.
//
// The memory holds this program's own executable, again and again: code, tables, text. No block is
// long enough to see that it comes again.
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "image/block_codec.h"
#include "stillframe/image.h"
#include "stillframe/save.h"
#include "stillframe/target.h"
#include "support/child_process.h"
#include "support/cpu_time.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/shared_object.h"
#include "support/statistics.h"

namespace stillframe::bench {
namespace {

constexpr size_t kBlock = KiB(32).count;  // ImageWriter's
constexpr std::array kWays{Compression{Codec::kNone, 0}, Compression{Codec::kLz4, 8},
                           Compression{Codec::kLz4, 1}, Compression{Codec::kZstd, 1}};

std::vector<std::byte> OwnExecutable() {
  const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0) Die("opening this program's executable");
  std::vector<std::byte> bytes(static_cast<size_t>(status.st_size));
  if (read(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    Die("reading this program's executable");
  }
  return bytes;
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// A process with that much memory, full of `content`, which does nothing.
class Subject {
 public:
  Subject(Bytes memory, const std::vector<std::byte>& content) {
    child_ = StartChild([this, memory, &content]() -> int {
      auto* const bytes = static_cast<std::byte*>(
          mmap(nullptr, memory.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      if (bytes == MAP_FAILED) Die("memory of the target");
      madvise(bytes, memory.count, MADV_NOHUGEPAGE);
      for (size_t at = 0; at < memory.count; at += content.size()) {
        std::memcpy(bytes + at, content.data(), std::min(content.size(), memory.count - at));
      }
      sem_post(&shared_->ready);
      for (;;) pause();
    });
    while (sem_wait(&shared_->ready) != 0) {
    }
  }
  pid_t pid() const { return child_->pid(); }

 private:
  struct Shared {
    Shared() { sem_init(&ready, 1, 0); }
    sem_t ready;
  };
  SharedObject<Shared> shared_;
  std::unique_ptr<ChildProcess> child_;
};

// The end of a pipe from which another process takes so many bytes a second.
class SlowReader {
 public:
  explicit SlowReader(Bytes per_second) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) Die("a pipe");
    const UniqueFd read_end(ends[0]);
    write_end_.reset(ends[1]);
    child_ = StartChild([&] { return Take(read_end.get(), per_second); }, read_end.get());
  }
  int descriptor() const { return write_end_.get(); }

 private:
  static int Take(int from, Bytes per_second) {
    std::vector<std::byte> buffer(KiB(64).count);
    const TimePoint begin = MonotonicClock().Now();
    for (double total = 0;;) {
      const ssize_t n = read(from, buffer.data(), buffer.size());
      if (n <= 0) return n < 0;
      total += static_cast<double>(n);
      const std::chrono::duration<double> due(total / static_cast<double>(per_second.count));
      std::this_thread::sleep_until(begin + std::chrono::duration_cast<Duration>(due));
    }
  }

  UniqueFd write_end_;
  std::unique_ptr<ChildProcess> child_;
};

// Of one core: bytes of memory a second.
double BareRate(const Compression& compression, const std::vector<std::byte>& content) {
  const auto encoder = OrDie("an encoder", BlockEncoder::Create(compression));
  std::vector<std::byte> to(kBlock);
  const TimePoint begin = MonotonicClock().Now();
  size_t done = 0;
  do {
    for (size_t at = 0; at + kBlock <= content.size(); at += kBlock) {
      encoder->Encode(std::span(content).subspan(at, kBlock), to);
      done += kBlock;
    }
  } while (MonotonicClock().Now() - begin < std::chrono::seconds(1));
  return static_cast<double>(done) / Seconds(MonotonicClock().Now() - begin);
}

// Of all CPUs at once.
double BareRateOfAll(const Compression& compression, const std::vector<std::byte>& content) {
  std::vector<double> rates(DefaultTaskThreads());
  std::vector<std::thread> threads;
  for (double& rate : rates) {
    threads.emplace_back(
        [&rate, &compression, &content] { rate = BareRate(compression, content); });
  }
  for (std::thread& thread : threads) thread.join();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

// One core's, and that of all CPUs.
struct Bare {
  double one = 0;
  double all = 0;
};

struct Seen {
  std::vector<double> rate;      // bytes of memory a second
  std::vector<double> cores;     // kept busy by us
  std::vector<double> share;     // what is left of each byte
  std::vector<double> of_cores;  // of the bare codec's on so many cores
  std::vector<double> of_all;    // of that on all CPUs
};

void Save(const Subject& subject, const Output& output, const Compression& compression,
          const Bare& bare, Seen* seen) {
  ImageOptions options{.compression = compression};
  options.workers = OrDie("starting threads", StartTaskPool(DefaultTaskThreads()));
  const double cpu = CpuSeconds();
  const TimePoint begin = MonotonicClock().Now();
  auto sink = OrDie("making an image", CreateImage(output, options));
  auto target = OrDie("attaching", AttachProcess(subject.pid()));
  const auto session =
      OrDie("a session", SaveSession::Create(std::move(target), std::move(sink), SaveOptions{}));
  const SaveSummary summary = OrDie("saving", session->Run());
  const double took = Seconds(MonotonicClock().Now() - begin);
  const auto memory = static_cast<double>(ToBytes(summary.total).count);
  seen->rate.push_back(memory / took);
  seen->cores.push_back((CpuSeconds() - cpu) / took);
  seen->share.push_back(static_cast<double>(summary.image.count) / memory);
  if (bare.one == 0) return;
  seen->of_cores.push_back(memory / took / (bare.one * seen->cores.back()));
  seen->of_all.push_back(memory / took / bare.all);
}

std::string NameOf(const Compression& compression) {
  const std::string codec(CodecName(compression.codec));
  return compression.codec == Codec::kNone ? codec
                                           : codec + ":" + std::to_string(compression.level);
}

void PrintRow(const char* output, const Compression& compression, const Seen& seen,
              const Seen& none) {
  std::printf("| %s | %s | %.0f | %.2f | %.2f | %.3f | ", output, NameOf(compression).c_str(),
              Median(seen.rate) / (1 << 20), Median(seen.rate) / Median(none.rate),
              Median(seen.cores), Median(seen.share));
  if (seen.of_cores.empty()) {
    std::printf("| |\n");
  } else {
    std::printf("%.2f | %.2f |\n", Median(seen.of_cores), Median(seen.of_all));
  }
}

int Main(int argc, char** argv) {
  int memory = 1024;
  int rounds = 5;
  int slow = 200;
  ParseOptions(argc, argv, "what compression costs a save",
               {{"memory", &memory, 16, "MiB of the target (1024)"},
                {"rounds", &rounds, 1, "How often each way takes its turn (5)"},
                {"slow", &slow, 1, "MiB a second that the slow output takes (200)"}});
  PrintHeading(argc, argv);
  const std::vector<std::byte> content = OwnExecutable();
  const Subject subject(MiB(static_cast<uint64_t>(memory)), content);
  const std::string path = "/var/tmp/stillframe-compress-bench." + std::to_string(getpid());

  std::array<Bare, kWays.size()> bare{};
  std::printf("| bare codec | one core, MiB/s | all CPUs, MiB/s |\n|---|---|---|\n");
  for (size_t i = 1; i < kWays.size(); ++i) {
    bare[i] = {.one = BareRate(kWays[i], content), .all = BareRateOfAll(kWays[i], content)};
    std::printf("| %s | %.0f | %.0f |\n", NameOf(kWays[i]).c_str(), bare[i].one / (1 << 20),
                bare[i].all / (1 << 20));
  }
  std::array<Seen, kWays.size()> to_slow, to_disk, to_null;
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < kWays.size(); ++i) {
      {
        const SlowReader reader(MiB(static_cast<uint64_t>(slow)));
        Save(subject, {.descriptor = reader.descriptor()}, kWays[i], Bare{}, &to_slow[i]);
      }
      Save(subject, {.path = path, .force = true}, kWays[i], Bare{}, &to_disk[i]);
      unlink(path.c_str());
      Save(subject, {.path = "/dev/null"}, kWays[i], bare[i], &to_null[i]);
    }
  }
  std::printf(
      "\n| output | codec | memory, MiB/s | to none | cores busy | image to memory | to the "
      "bare codec on so many cores | on all CPUs |\n|---|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < kWays.size(); ++i) PrintRow("slow", kWays[i], to_slow[i], to_slow[0]);
  for (size_t i = 0; i < kWays.size(); ++i) PrintRow("disk", kWays[i], to_disk[i], to_disk[0]);
  for (size_t i = 0; i < kWays.size(); ++i) PrintRow("null", kWays[i], to_null[i], to_null[0]);
  return 0;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
