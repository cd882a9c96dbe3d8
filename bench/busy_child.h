// A target with many threads that write, one that does nothing but read the clock, and others that
// change its mappings.
#ifndef STILLFRAME_BENCH_BUSY_CHILD_H_
#define STILLFRAME_BENCH_BUSY_CHILD_H_

#include <semaphore.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "stillframe/units.h"
#include "support/child_process.h"
#include "support/shared_object.h"

namespace stillframe::bench {

// What the child is and does.
struct Habits {
  Bytes memory;  // private and anonymous, all of it filled before
  int threads = 2;
  int rate = 0;       // writes per second to random pages, all threads together; 0: all they can
  Bytes reserved;     // if more than memory: its pages lie scattered over so much
  bool maps = false;  // a thread maps 256 KiB, writes a page, unmaps another one, on and on
  bool discards = false;  // a thread discards stretches of 256 KiB and fills them again, on and on
  bool huge = false;      // in transparent huge pages, else in pages of 4 KiB
  bool of_file = false;   // a private mapping of a file instead; nothing scattered
};

// Thread rule: one thread.
class BusyChild {
 public:
  explicit BusyChild(const Habits& habits);

  pid_t pid() const { return child_->pid(); }
  // To be called while all of it stands still: tells its threads that this was the instant.
  void NoteInstant();

  // What the thread that reads the clock, and the one that maps, saw since the last call.
  struct Seen {
    Duration instant{0};  // between two looks at the clock, one before the instant, one after
    Duration for_cpu{0};  // part of it: ready to run, and waiting for a CPU
    Duration gap{0};      // the longest other time between two looks
    Duration early{0};    // the longest call that mapped or unmapped, before the instant
    Duration late{0};     // and after it; one that was stopped in the middle counts in neither
  };
  Seen TakeSeen();
  // Makes it fork, and returns how long fork() took in it. The new child ends at once.
  Duration Fork();

 private:
  struct Shared {
    Shared();
    sem_t ready;
    sem_t told;
    sem_t done;
    int64_t fork_ns = 0;
    std::atomic<pid_t> clock_tid = 0;
    std::atomic<uint64_t> instants = 0;
    std::atomic<int64_t> instant_ns = 0;
    std::atomic<int64_t> for_cpu_ns = 0;
    std::atomic<int64_t> gap_ns = 0;
    std::atomic<int64_t> call_ns[2] = {};  // by whether an instant was since the last TakeSeen
    std::atomic<bool> after = false;
  };

  int Live(std::byte* memory, const Habits& habits) const;
  void Write(std::byte* memory, const Habits& habits, int index) const;
  void WatchClock() const;
  void Map() const;
  void Discard() const;
  // The call of a mapping thread that began at `begin`.
  void NoteCall(int64_t begin, uint64_t instants_before) const;

  SharedObject<Shared> shared_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_BUSY_CHILD_H_
