#include "busy_child.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "support/machine.h"

namespace stillframe::bench {
namespace {

int64_t Now() { return MonotonicClock().Now().time_since_epoch().count(); }

}  // namespace

BusyChild::Shared::Shared() {
  sem_init(&ready, 1, 0);
  sem_init(&told, 1, 0);
  sem_init(&done, 1, 0);
}

BusyChild::BusyChild(Bytes memory, int threads, int rate) {
  child_ = StartChild([this, memory, threads, rate] {
    void* mapped =
        mmap(nullptr, memory.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) Die("memory of the target");
    madvise(mapped, memory.count, MADV_NOHUGEPAGE);
    return Live(static_cast<std::byte*>(mapped), ToPages(memory).count, threads, rate);
  });
  while (sem_wait(&shared_->ready) != 0) {
  }
}

Duration BusyChild::TakeLongestGap() { return Duration(shared_->gap_ns.exchange(0)); }

Duration BusyChild::Fork() {
  sem_post(&shared_->told);
  while (sem_wait(&shared_->done) != 0) {
  }
  return Duration(shared_->fork_ns);
}

int BusyChild::Live(std::byte* memory, uint64_t pages, int threads, int rate) const {
  for (uint64_t page = 0; page < pages; ++page) {
    memory[page * kPageSize.count] = static_cast<std::byte>(page | 1);
  }
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([=, this] { Write(memory, pages, i, threads, rate); });
  }
  all.emplace_back([this] { WatchClock(); });
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

void BusyChild::Write(std::byte* memory, uint64_t pages, int index, int threads, int rate) const {
  std::mt19937_64 random(static_cast<uint64_t>(index) + 1);
  const int64_t each = rate == 0 ? 0 : int64_t{1'000'000'000} * threads / rate;
  int64_t next = Now() + each * index / threads;
  for (uint64_t count = 0;; ++count) {
    if (each > 0) {
      const timespec until{.tv_sec = next / 1'000'000'000, .tv_nsec = next % 1'000'000'000};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
      next += each;
    }
    memory[random() % pages * kPageSize.count + 8] = static_cast<std::byte>(count);
  }
}

void BusyChild::WatchClock() const {
  for (int64_t before = Now();;) {
    const int64_t now = Now();
    if (now - before > shared_->gap_ns.load(std::memory_order_relaxed)) {
      shared_->gap_ns.store(now - before, std::memory_order_relaxed);
    }
    before = now;
  }
}

}  // namespace stillframe::bench
