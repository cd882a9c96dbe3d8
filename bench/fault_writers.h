// A child whose threads write to armed pages as fast as they can, and note how long each write
// took.
#ifndef STILLFRAME_BENCH_FAULT_WRITERS_H_
#define STILLFRAME_BENCH_FAULT_WRITERS_H_

#include <semaphore.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "stillframe/units.h"
#include "support/child_process.h"
#include "support/shared_object.h"

namespace stillframe::bench {

// Thread rule: one thread.
class FaultWriters {
 public:
  // Of each round, all threads together: enough for the worst of a thousand to be some twenty.
  static constexpr size_t kWrites = 20'000;

  explicit FaultWriters(int threads);

  pid_t pid() const { return child_->pid(); }
  // Private and anonymous, a page for each write.
  AddressRange range() const { return range_; }

  struct Round {
    std::vector<double> waits;  // microseconds, the shortest first
    Duration took{0};
  };
  // Each thread writes one word to each of its pages, from the last one down: nothing that is
  // opened along with a page on the guess that its writer goes on upwards is of any use.
  Round Write();

 private:
  struct Shared {
    Shared();
    sem_t told;
    sem_t done;
    int64_t took_ns = 0;
    std::array<uint32_t, kWrites> waits_ns = {};
  };

  int Obey(std::byte* memory) const;
  void WriteOn(std::byte* memory, size_t first, size_t count) const;

  const size_t threads_;
  SharedObject<Shared> shared_;
  AddressRange range_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_FAULT_WRITERS_H_
