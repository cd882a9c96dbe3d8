// A child with memory to save, idle unless it is told to write to some of it.
#ifndef STILLFRAME_BENCH_SUPPORT_MEMORY_CHILD_H_
#define STILLFRAME_BENCH_SUPPORT_MEMORY_CHILD_H_

#include <semaphore.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/latency_histogram.h"
#include "stillframe/units.h"
#include "support/child_process.h"
#include "support/shared_object.h"

namespace stillframe::bench {

// Thread rule: one thread.
class MemoryChild {
 public:
  // `memory`: private and anonymous, filled with bytes that are not zero and differ from page to
  // page, in pages of 4 KiB or, with `huge`, in such huge pages as the kernel has to give.
  explicit MemoryChild(Bytes memory, bool huge = false);

  pid_t pid() const { return child_->pid(); }
  AddressRange range() const { return range_; }

  // Makes it write one word to each of `pages` pages, from page `first` on, `step` pages apart,
  // and waits until it has. Returns how long the child took. How long each write took is added to
  // waits().
  Duration Write(uint64_t first, uint64_t pages, uint64_t step = 1);
  const LatencyHistogram& waits() const { return shared_->waits; }

 private:
  struct Shared {
    Shared();
    sem_t told;
    sem_t done;
    uint64_t first = 0;
    uint64_t pages = 0;
    uint64_t step = 1;
    int64_t took_ns = 0;
    LatencyHistogram waits;
  };

  int Obey(std::byte* memory, size_t size) const;
  void WriteAsTold(std::byte* memory, size_t size) const;

  SharedObject<Shared> shared_;
  AddressRange range_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_MEMORY_CHILD_H_
