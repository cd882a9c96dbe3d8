#include "paced_writer.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "evaluate/pacer.h"
#include "evaluate/random_writer.h"

namespace stillframe::bench {

PacedWriter::Shared::Shared() { sem_init(&ready, 1, 0); }

PacedWriter::PacedWriter(Bytes memory, double writes_per_second) {
  void* mapped =
      mmap(nullptr, memory.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) Die("mapping memory to save");
  madvise(mapped, memory.count, MADV_NOHUGEPAGE);
  const auto begin = reinterpret_cast<uint64_t>(mapped);
  range_ = {{begin}, {begin + memory.count}};
  auto* bytes = static_cast<std::byte*>(mapped);
  child_ = StartChild([&] { return Write(bytes, range_.pages().count, writes_per_second); });
  munmap(mapped, memory.count);
  while (sem_wait(&shared_->ready) != 0 && errno == EINTR) {
  }
}

int PacedWriter::Write(std::byte* memory, uint64_t pages, double rate) const {
  // The default slack of 50 us would stand in every latency.
  prctl(PR_SET_TIMERSLACK, 1);
  evaluate::RandomWriter writer(memory, pages, 1);
  writer.Prepare();
  sem_post(&shared_->ready);
  const std::atomic<bool> never = false;
  evaluate::Pacer pacer(rate);
  for (;;) {
    const TimePoint intended = pacer.WaitForNext(never);
    writer.Step();
    const Duration latency = std::chrono::steady_clock::now() - intended;
    const uint64_t late = shared_->late_count.load(std::memory_order_relaxed);
    if (latency > kLate && late < kMostLate) {
      shared_->late[late] = {intended, latency};
      shared_->late_count.store(late + 1, std::memory_order_release);
    }
    shared_->writes.fetch_add(1, std::memory_order_relaxed);
    shared_->written_up_to_ns.store(intended.time_since_epoch().count(), std::memory_order_release);
  }
}

std::vector<LateWrite> PacedWriter::LateIn(TimePoint begin, TimePoint end) const {
  while (shared_->written_up_to_ns.load(std::memory_order_acquire) <
         end.time_since_epoch().count()) {
    if (child_->Ended()) {
      errno = ESRCH;
      Die("the paced writer ended");
    }
    usleep(1000);
  }
  const uint64_t count = shared_->late_count.load(std::memory_order_acquire);
  std::vector<LateWrite> late;
  for (uint64_t i = 0; i < count; ++i) {
    const LateWrite& write = shared_->late[i];
    if (begin <= write.intended && write.intended < end) late.push_back(write);
  }
  return late;
}

}  // namespace stillframe::bench
