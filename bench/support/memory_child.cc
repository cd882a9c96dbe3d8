#include "support/memory_child.h"

#include <sys/mman.h>

#include <cerrno>

#include "base/clock.h"
#include "evaluate/page_pattern.h"

namespace stillframe::bench {
namespace {

void WaitFor(sem_t* semaphore) {
  while (sem_wait(semaphore) != 0 && errno == EINTR) {
  }
}

}  // namespace

MemoryChild::Shared::Shared() {
  sem_init(&told, 1, 0);
  sem_init(&done, 1, 0);
}

MemoryChild::MemoryChild(Bytes memory, bool huge) {
  // Mapped here and filled there: so the address is known.
  void* mapped =
      mmap(nullptr, memory.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) Die("mapping memory to save");
  madvise(mapped, memory.count, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  const auto begin = reinterpret_cast<uint64_t>(mapped);
  range_ = {{begin}, {begin + memory.count}};
  auto* bytes = static_cast<std::byte*>(mapped);
  child_ = StartChild([&] { return Obey(bytes, memory.count); });
  munmap(mapped, memory.count);
  WaitFor(&shared_->done);
}

int MemoryChild::Obey(std::byte* memory, size_t size) const {
  for (size_t i = 0; i < size / kPageSize.count; ++i) {
    evaluate::FillPage(memory + i * kPageSize.count, 1, i, 1);
  }
  for (;;) {
    sem_post(&shared_->done);
    WaitFor(&shared_->told);
    WriteAsTold(memory, size);
  }
}

void MemoryChild::WriteAsTold(std::byte* memory, size_t size) const {
  const Clock& clock = MonotonicClock();
  const TimePoint begin = clock.Now();
  uint64_t page = shared_->first;
  TimePoint last = begin;
  for (uint64_t i = 0; i < shared_->pages; ++i, page += shared_->step) {
    auto* word = reinterpret_cast<uint64_t*>(memory + page * kPageSize.count % size);
    __atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
    const TimePoint now = clock.Now();
    shared_->waits.Record(now - last);
    last = now;
  }
  shared_->took_ns = (last - begin).count();
}

Duration MemoryChild::Write(uint64_t first, uint64_t pages, uint64_t step) {
  shared_->first = first;
  shared_->pages = pages;
  shared_->step = step;
  sem_post(&shared_->told);
  WaitFor(&shared_->done);
  return Duration(shared_->took_ns);
}

}  // namespace stillframe::bench
