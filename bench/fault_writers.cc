#include "fault_writers.h"

#include <sys/mman.h>

#include <algorithm>
#include <barrier>
#include <cerrno>
#include <thread>

#include "base/clock.h"
#include "evaluate/page_pattern.h"
#include "support/machine.h"

namespace stillframe::bench {
namespace {

constexpr Bytes kMemory = ToBytes(Pages{FaultWriters::kWrites});

void WaitFor(sem_t* semaphore) {
  while (sem_wait(semaphore) != 0 && errno == EINTR) {
  }
}

}  // namespace

FaultWriters::Shared::Shared() {
  sem_init(&told, 1, 0);
  sem_init(&done, 1, 0);
}

FaultWriters::FaultWriters(int threads) : threads_(static_cast<size_t>(threads)) {
  // Mapped here and filled there: so the address is known.
  void* mapped =
      mmap(nullptr, kMemory.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) Die("mapping memory to write to");
  madvise(mapped, kMemory.count, MADV_NOHUGEPAGE);
  const auto begin = reinterpret_cast<uint64_t>(mapped);
  range_ = {{begin}, {begin + kMemory.count}};
  auto* memory = static_cast<std::byte*>(mapped);
  child_ = StartChild([this, memory] { return Obey(memory); });
  munmap(mapped, kMemory.count);
  WaitFor(&shared_->done);
}

FaultWriters::Round FaultWriters::Write() {
  sem_post(&shared_->told);
  WaitFor(&shared_->done);
  Round round;
  for (const uint32_t wait : shared_->waits_ns) round.waits.push_back(wait / 1000.0);
  std::ranges::sort(round.waits);
  round.took = Duration(shared_->took_ns);
  return round;
}

int FaultWriters::Obey(std::byte* memory) const {
  for (size_t i = 0; i < kWrites; ++i) {
    evaluate::FillPage(memory + i * kPageSize.count, 1, i, 1);
  }
  const size_t each = kWrites / threads_;
  for (;;) {
    sem_post(&shared_->done);
    WaitFor(&shared_->told);
    std::barrier begin(static_cast<std::ptrdiff_t>(threads_ + 1));
    std::vector<std::thread> writers;
    for (size_t t = 0; t < threads_; ++t) {
      const size_t first = t * each;
      const size_t count = t + 1 == threads_ ? kWrites - first : each;
      writers.emplace_back([&, first, count] {
        begin.arrive_and_wait();
        WriteOn(memory, first, count);
      });
    }
    const TimePoint start = MonotonicClock().Now();
    begin.arrive_and_wait();
    for (std::thread& writer : writers) writer.join();
    shared_->took_ns = (MonotonicClock().Now() - start).count();
  }
}

void FaultWriters::WriteOn(std::byte* memory, size_t first, size_t count) const {
  const Clock& clock = MonotonicClock();
  auto& waits = const_cast<Shared&>(*shared_).waits_ns;
  TimePoint last = clock.Now();
  for (size_t i = first + count; i-- > first;) {
    auto* word = reinterpret_cast<uint64_t*>(memory + i * kPageSize.count);
    __atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
    const TimePoint now = clock.Now();
    waits[i] = static_cast<uint32_t>(std::min<int64_t>((now - last).count(), UINT32_MAX));
    last = now;
  }
}

}  // namespace stillframe::bench
