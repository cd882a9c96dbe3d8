// What a workload of the bench and the bench tell each other while both run.
#ifndef STILLFRAME_EVALUATE_BENCH_CONTROL_H_
#define STILLFRAME_EVALUATE_BENCH_CONTROL_H_

#include <semaphore.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "evaluate/bench/plan.h"

namespace stillframe::evaluate {

// In memory that both share.
struct BenchControl {
  BenchControl() { sem_init(&ready, 1, 0); }

  sem_t ready;                     // posted when all memory is filled and all threads run
  std::atomic<bool> stop = false;  // set by the bench
  // What timing and recording one write costs, in picoseconds.
  std::atomic<int64_t> timing_cost_ps = 0;
  // Set by the bench: the first writer is to be held up that long in its next write. Back to zero
  // when that is over.
  std::atomic<int64_t> inject_stall_ns = 0;
  // One request at a time: to fork, and to have the child write all memory to `path`.
  struct SelfFork {
    static constexpr int kIdle = 0;
    static constexpr int kAsked = 1;  // by the bench
    static constexpr int kDone = 2;   // by the workload
    std::atomic<int> state = kIdle;
    std::array<char, 4096> path = {};
    int error = 0;  // errno, or 0
  };
  SelfFork self_fork;
  // Over the pages and contents of the first writes of each writer; counts of those in it.
  struct Fingerprint {
    std::atomic<uint64_t> hash = 0;
    std::atomic<uint64_t> writes = 0;
  };
  static constexpr uint64_t kFingerprintWrites = 200;
  std::array<Fingerprint, BenchPlan::kMostThreads> fingerprints;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_CONTROL_H_
