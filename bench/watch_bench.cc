// What a difference costs, and what being watched costs between two images.
//
// First table, medians over the rounds, uncompressed images in /var/tmp, of a process of which 1%
// of the pages changed since the parent: size and time of the difference against a full image, by
// hashes (nothing stays attached) and by a watch (attached, armed).
//
// Second table: writes a second of writers that go as fast as they can to random pages, in turns
// without a watch and between two images of one. The first write to a page after an image costs
// more; so what is seen is that cost at its highest, right after an image, and over all of the
// time.
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "stillframe/image.h"
#include "stillframe/save.h"
#include "stillframe/target.h"
#include "stillframe/watch.h"
#include "support/child_process.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/shared_object.h"
#include "support/statistics.h"

namespace stillframe::bench {
namespace {

constexpr size_t kPage = kPageSize.count;

struct Shared {
  Shared() {
    sem_init(&ready, 1, 0);
    sem_init(&told, 1, 0);
    sem_init(&done, 1, 0);
  }
  sem_t ready, told, done;
  std::atomic<uint64_t> share = 0;  // of pages to change when told: one in so many
  std::atomic<bool> write = false;  // as fast as it goes
  std::array<std::atomic<uint64_t>, 16> writes = {};
};

void Wait(sem_t* semaphore) {
  while (sem_wait(semaphore) != 0) {
  }
}

// Pages that no codec and no check for zeros makes anything of.
void Fill(std::byte* page, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (size_t at = 0; at < kPage; at += sizeof(uint64_t)) {
    const uint64_t value = random();
    std::memcpy(page + at, &value, sizeof(value));
  }
}

// A process that changes pages when it is told to, and writes all the time if it shall.
class Subject {
 public:
  Subject(Bytes memory, int threads) {
    child_ = StartChild([this, memory, threads] { return Live(memory, threads); });
    Wait(&shared_->ready);
  }
  pid_t pid() const { return child_->pid(); }
  void Change(uint64_t one_in) {
    shared_->share = one_in;
    sem_post(&shared_->told);
    Wait(&shared_->done);
  }
  void SetWriting(bool write) { shared_->write = write; }
  uint64_t writes() const {
    uint64_t sum = 0;
    for (const auto& writes : shared_->writes) sum += writes.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  int Live(Bytes memory, int threads) {
    auto* const pages = static_cast<std::byte*>(
        mmap(nullptr, memory.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (pages == MAP_FAILED) Die("memory of the target");
    madvise(pages, memory.count, MADV_NOHUGEPAGE);
    const uint64_t count = memory.count / kPage;
    for (uint64_t i = 0; i < count; ++i) Fill(pages + i * kPage, i);
    for (int t = 0; t < threads; ++t) {
      std::thread([this, pages, count, t] {
        Write(pages, count, static_cast<size_t>(t));
      }).detach();
    }
    sem_post(&shared_->ready);
    std::mt19937_64 random(1);
    for (uint64_t seed = count;;) {
      Wait(&shared_->told);
      for (uint64_t left = count / shared_->share; left > 0; --left) {
        Fill(pages + random() % count * kPage, ++seed);
      }
      sem_post(&shared_->done);
    }
  }
  void Write(std::byte* pages, uint64_t count, size_t number) {
    std::mt19937_64 random(number + 99);
    auto& writes = shared_->writes[number];
    for (;;) {
      if (!shared_->write) {
        usleep(1000);
        continue;
      }
      const uint64_t value = random();
      std::memcpy(pages + value % count * kPage, &value, sizeof(value));
      writes.fetch_add(1, std::memory_order_relaxed);
    }
  }

  SharedObject<Shared> shared_;
  std::unique_ptr<ChildProcess> child_;
};

double SizeOf(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) Die("looking at " + path);
  return static_cast<double>(status.st_size);
}

struct Files {
  const std::string full = "/var/tmp/stillframe-watch-bench." + std::to_string(getpid()) + ".full";
  const std::string part = "/var/tmp/stillframe-watch-bench." + std::to_string(getpid()) + ".part";
  ~Files() {
    unlink(full.c_str());
    unlink(part.c_str());
  }
};

ImageOptions ChildOf(const std::string& parent) {
  ImageOptions options;
  options.workers = OrDie("starting threads", StartTaskPool(DefaultTaskThreads()));
  options.parent = OrDie("opening the parent", ImageReader::Open(parent));
  return options;
}

double TimeOf(const SaveSummary& summary) {
  return std::chrono::duration<double>(summary.duration).count();
}

struct Difference {
  std::vector<double> full_time, part_time, watch_time, full_size, part_size, watch_size;
};

void SaveTo(pid_t pid, const std::string& path, const ImageOptions& options,
            std::vector<double>* time, std::vector<double>* size) {
  auto sink = OrDie("making an image", CreateImage({.path = path, .force = true}, options));
  auto target = OrDie("attaching", AttachProcess(pid));
  auto session =
      OrDie("a session", SaveSession::Create(std::move(target), std::move(sink), SaveOptions{}));
  time->push_back(TimeOf(OrDie("saving", session->Run())));
  size->push_back(SizeOf(path));
}

void MeasureDifference(Subject& subject, Difference* seen) {
  const Files files;
  SaveTo(subject.pid(), files.full, {}, &seen->full_time, &seen->full_size);
  subject.Change(100);
  SaveTo(subject.pid(), files.part, ChildOf(files.full), &seen->part_time, &seen->part_size);

  auto watch =
      OrDie("a watch",
            WatchSession::Create(OrDie("attaching", AttachProcess(subject.pid())), SaveOptions{}));
  OrDie("saving",
        watch->Save(OrDie("making an image", CreateImage({.path = files.full, .force = true}, {})),
                    false));
  subject.Change(100);
  const ImageOptions options = ChildOf(files.full);
  auto sink = OrDie("making an image", CreateImage({.path = files.part, .force = true}, options));
  seen->watch_time.push_back(TimeOf(OrDie("saving", watch->Save(std::move(sink), true))));
  seen->watch_size.push_back(SizeOf(files.part));
}

void PrintDifference(const Difference& seen) {
  const double size = Median(seen.full_size);
  const double time = Median(seen.full_time);
  const auto row = [&](const char* name, double its_size, double its_time) {
    std::printf("| %s | %.1f MiB | %.4f | %.3f s | %.3f |\n", name, its_size / (1 << 20),
                its_size / size, its_time, its_time / time);
  };
  std::printf("| image | size | of full | time | of full |\n|---|---|---|---|---|\n");
  row("full", size, time);
  row("difference by hashes", Median(seen.part_size), Median(seen.part_time));
  row("difference of a watch", Median(seen.watch_size), Median(seen.watch_time));
}

double WritesPerSecond(const Subject& subject, Duration time) {
  const uint64_t before = subject.writes();
  const TimePoint begin = MonotonicClock().Now();
  std::this_thread::sleep_for(time);
  const Duration took = MonotonicClock().Now() - begin;
  return static_cast<double>(subject.writes() - before) /
         std::chrono::duration<double>(took).count();
}

// Takes everything, so that the disk has no part in it.
void MeasureWriters(Subject& subject, int rounds, int seconds) {
  std::vector<double> kept;
  std::vector<double> kept_at_first;
  const Duration first = std::chrono::seconds(1);
  const Duration all = std::chrono::seconds(seconds);
  subject.SetWriting(true);
  for (int round = 0; round < rounds; ++round) {
    const double before = WritesPerSecond(subject, all);
    auto watch = OrDie(
        "a watch",
        WatchSession::Create(OrDie("attaching", AttachProcess(subject.pid())), SaveOptions{}));
    OrDie("saving", watch->Save(OrDie("an image", CreateImage({.path = "/dev/null"}, {})), false));
    const double at_first = WritesPerSecond(subject, first);
    const double rest = WritesPerSecond(subject, all - first);
    watch.reset();
    const double after = WritesPerSecond(subject, first);
    const double without = (before + after) / 2;
    kept_at_first.push_back(at_first / without);
    kept.push_back((at_first + rest * (seconds - 1)) / seconds / without);
  }
  subject.SetWriting(false);
  std::printf(
      "\n| between two images %d s apart | writes kept | lowest | highest |\n|---|---|---|---|\n",
      seconds);
  const auto row = [](const char* name, const std::vector<double>& values) {
    std::printf("| %s | %.3f | %.3f | %.3f |\n", name, Median(values), Lowest(values),
                Highest(values));
  };
  row("all of the time", kept);
  row("the first second", kept_at_first);
}

int Main(int argc, char** argv) {
  int memory = 4;
  int rounds = 5;
  int seconds = 60;
  int writer_rounds = 2;
  ParseOptions(argc, argv, "differences, and what it costs to be watched",
               {{"memory", &memory, 1, "GiB of the process"},
                {"rounds", &rounds, 1, "Of the first table"},
                {"seconds", &seconds, 2, "Between two images, of the second one"},
                {"writer-rounds", &writer_rounds, 0, "Of the second table; 0: without it"}});
  PrintHeading(argc, argv);
  Subject subject(GiB(static_cast<uint64_t>(memory)), 2);
  Difference seen;
  for (int round = 0; round < rounds; ++round) MeasureDifference(subject, &seen);
  PrintDifference(seen);
  if (writer_rounds > 0) MeasureWriters(subject, writer_rounds, seconds);
  return 0;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
