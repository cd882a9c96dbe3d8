#include "busy_child.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "support/machine.h"

namespace stillframe::bench {
namespace {

constexpr Bytes kStretch = KiB(256);
constexpr size_t kMapped = 64;         // mappings at a time
constexpr int kMostWaits = 2000;       // of a millisecond
constexpr int64_t kNoWait = 20'000;    // ns between two looks at the clock
constexpr Bytes kDiscarded = MiB(64);  // what is discarded is part of that

int64_t Now() { return MonotonicClock().Now().time_since_epoch().count(); }

std::byte* MapAnonymous(Bytes size, bool huge) {
  void* mapped = mmap(nullptr, size.count, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) Die("memory of the target");
  madvise(mapped, size.count, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  return static_cast<std::byte*>(mapped);
}

// The file is in /var/tmp, and sparse: what is written is the mapping's own.
std::byte* MapFile(Bytes size) {
  const UniqueFd file(open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file || ftruncate(file.get(), static_cast<off_t>(size.count)) != 0) Die("a file");
  void* mapped = mmap(nullptr, size.count, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED) Die("memory of the target");
  return static_cast<std::byte*>(mapped);
}

// How long a thread of the child was ready to run and had no CPU, so far.
int64_t DelayOf(pid_t pid, pid_t tid) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/task/%d/schedstat", pid, tid);
  const UniqueFd file(open(path.data(), O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  if (!file || read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
  int64_t on_cpu = 0;
  int64_t delay = 0;
  return std::sscanf(text.data(), "%" SCNd64 " %" SCNd64, &on_cpu, &delay) == 2 ? delay : 0;
}

void Raise(std::atomic<int64_t>& longest, int64_t value) {
  if (value > longest.load(std::memory_order_relaxed)) {
    longest.store(value, std::memory_order_relaxed);
  }
}

}  // namespace

BusyChild::Shared::Shared() {
  sem_init(&ready, 1, 0);
  sem_init(&told, 1, 0);
  sem_init(&done, 1, 0);
}

BusyChild::BusyChild(const Habits& habits) {
  child_ = StartChild([this, habits] {
    const Bytes size = std::max(habits.memory, habits.reserved);
    return Live(habits.of_file ? MapFile(size) : MapAnonymous(size, habits.huge), habits);
  });
  while (sem_wait(&shared_->ready) != 0) {
  }
}

void BusyChild::NoteInstant() {
  shared_->after = true;
  shared_->instants.fetch_add(1);
}

BusyChild::Seen BusyChild::TakeSeen() {
  // The thread that reads the clock may still be waiting for a CPU.
  for (int i = 0; i < kMostWaits && shared_->after && shared_->instant_ns == 0; ++i) {
    usleep(1000);
  }
  shared_->after = false;
  return {.instant = Duration(shared_->instant_ns.exchange(0)),
          .for_cpu = Duration(shared_->for_cpu_ns.exchange(0)),
          .gap = Duration(shared_->gap_ns.exchange(0)),
          .early = Duration(shared_->call_ns[0].exchange(0)),
          .late = Duration(shared_->call_ns[1].exchange(0))};
}

Duration BusyChild::Fork() {
  sem_post(&shared_->told);
  while (sem_wait(&shared_->done) != 0) {
  }
  return Duration(shared_->fork_ns);
}

int BusyChild::Live(std::byte* memory, const Habits& habits) const {
  const uint64_t pages = ToPages(habits.memory).count;
  const uint64_t apart = std::max(habits.memory, habits.reserved).count / pages;
  for (uint64_t page = 0; page < pages; ++page) {
    memory[page * apart] = static_cast<std::byte>(page | 1);
  }
  std::vector<std::thread> all;
  for (int i = 0; i < habits.threads; ++i) {
    all.emplace_back([=, this] { Write(memory, habits, i); });
  }
  if (habits.maps) all.emplace_back([this] { Map(); });
  if (habits.discards) all.emplace_back([this] { Discard(); });
  all.emplace_back([this] { WatchClock(); });
  while (shared_->clock_tid == 0) std::this_thread::yield();
  sem_post(&shared_->ready);
  for (;;) {
    while (sem_wait(&shared_->told) != 0) {
    }
    const int64_t begin = Now();
    const pid_t child = fork();
    if (child == 0) _exit(0);
    shared_->fork_ns = Now() - begin;
    waitpid(child, nullptr, 0);
    sem_post(&shared_->done);
  }
}

void BusyChild::Write(std::byte* memory, const Habits& habits, int index) const {
  const uint64_t pages = ToPages(habits.memory).count;
  const uint64_t apart = std::max(habits.memory, habits.reserved).count / pages;
  std::mt19937_64 random(static_cast<uint64_t>(index) + 1);
  const int64_t each = habits.rate == 0 ? 0 : int64_t{1'000'000'000} * habits.threads / habits.rate;
  int64_t next = Now() + each * index / habits.threads;
  for (uint64_t count = 0;; ++count) {
    if (each > 0) {
      const timespec until{.tv_sec = next / 1'000'000'000, .tv_nsec = next % 1'000'000'000};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
      next += each;
    }
    memory[random() % pages * apart + 8] = static_cast<std::byte>(count);
  }
}

void BusyChild::WatchClock() const {
  const auto delay_so_far = [] { return DelayOf(getpid(), gettid()); };
  uint64_t instants = shared_->instants;
  int64_t delay = delay_so_far();
  shared_->clock_tid = gettid();
  for (int64_t before = Now();;) {
    const int64_t now = Now();
    const uint64_t by_now = shared_->instants.load(std::memory_order_relaxed);
    if (by_now == instants) {
      Raise(shared_->gap_ns, now - before);
      // Whoever had a CPU all the time waited for none.
      const bool ran = now - before < kNoWait;
      if (!ran) delay = delay_so_far();
      before = ran ? now : Now();
      continue;
    }
    instants = by_now;
    // A new look: it is mostly while it reads the clock that a thread is stopped, and then `now` is
    // of before.
    const int64_t after = Now();
    const int64_t waited = delay_so_far();
    shared_->for_cpu_ns = waited - std::exchange(delay, waited);
    shared_->instant_ns = after - before;
    before = Now();
  }
}

void BusyChild::NoteCall(int64_t begin, uint64_t instants_before) const {
  const int64_t took = Now() - begin;
  if (shared_->instants != instants_before) return;
  Raise(shared_->call_ns[shared_->after ? 1 : 0], took);
}

void BusyChild::Map() const {
  std::array<void*, kMapped> ring = {};
  for (size_t turn = 0;; ++turn) {
    void*& mapped = ring[turn % kMapped];
    const uint64_t instants = shared_->instants;
    int64_t begin = Now();
    if (mapped != nullptr) munmap(mapped, kStretch.count);
    NoteCall(begin, instants);
    begin = Now();
    mapped =
        mmap(nullptr, kStretch.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NoteCall(begin, instants);
    if (mapped == MAP_FAILED) Die("a mapping of the target");
    *static_cast<volatile std::byte*>(mapped) = std::byte{1};
  }
}

void BusyChild::Discard() const {
  std::byte* const memory = MapAnonymous(kDiscarded, false);
  std::mt19937_64 random(1);
  for (;;) {
    std::byte* const at = memory + random() % (kDiscarded.count / kStretch.count) * kStretch.count;
    madvise(at, kStretch.count, MADV_DONTNEED);
    for (uint64_t i = 0; i < kStretch.count; i += kPageSize.count) at[i] = std::byte{1};
  }
}

}  // namespace stillframe::bench
