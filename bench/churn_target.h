// The project's workload as a target: malloc/free churn beside memory that stays.
#ifndef STILLFRAME_BENCH_CHURN_TARGET_H_
#define STILLFRAME_BENCH_CHURN_TARGET_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "stillframe/units.h"
#include "support/child_process.h"

namespace stillframe::bench {

// stillframe-workload with blocks of 64 KiB to 1 MiB, each a mapping of its own (mallopt fixes the
// threshold), of which it frees one and allocates another `frees_per_second` times a second.
// Thread rule: one thread.
class ChurnTarget {
 public:
  // Returns when all its memory is filled and the churn runs. Ends the program when it doesn't
  // start.
  ChurnTarget(Bytes other_memory, int frees_per_second, int live_blocks);
  ~ChurnTarget();

  pid_t pid() const { return child_->pid(); }
  // Frees so far.
  uint64_t Frees() const;

 private:
  const std::string status_;  // the file that the workload counts in
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_CHURN_TARGET_H_
