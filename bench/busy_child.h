// A target with many threads that write, and one that does nothing but read the clock.
#ifndef STILLFRAME_BENCH_BUSY_CHILD_H_
#define STILLFRAME_BENCH_BUSY_CHILD_H_

#include <semaphore.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "stillframe/units.h"
#include "support/child_process.h"
#include "support/shared_object.h"

namespace stillframe::bench {

// The writers go to random pages of 4 KiB, private and anonymous, all of them filled before.
//
// Thread rule: one thread.
class BusyChild {
 public:
  // `rate`: writes per second, all threads together; 0: as many as they can.
  BusyChild(Bytes memory, int threads, int rate);

  pid_t pid() const { return child_->pid(); }
  // The longest time between two looks at the clock since the last call.
  Duration TakeLongestGap();
  // Makes it fork, and returns how long fork() took in it. The new child ends at once.
  Duration Fork();

 private:
  struct Shared {
    Shared();
    sem_t ready;
    sem_t told;
    sem_t done;
    int64_t fork_ns = 0;
    std::atomic<int64_t> gap_ns = 0;
  };

  int Live(std::byte* memory, uint64_t pages, int threads, int rate) const;
  void Write(std::byte* memory, uint64_t pages, int index, int threads, int rate) const;
  void WatchClock() const;

  SharedObject<Shared> shared_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_BUSY_CHILD_H_
