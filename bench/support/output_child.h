// A pipe with another process at its end.
#ifndef STILLFRAME_BENCH_SUPPORT_OUTPUT_CHILD_H_
#define STILLFRAME_BENCH_SUPPORT_OUTPUT_CHILD_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "base/unique_fd.h"
#include "stillframe/units.h"
#include "support/child_process.h"
#include "support/shared_object.h"

namespace stillframe::bench {

// How the reader stalls: for `length` at the end of every `period`. No length: never.
struct StallPlan {
  Duration period = std::chrono::milliseconds(250);
  Duration length{0};
};

// Reads everything and throws it away. Thread rule: one thread.
class OutputChild {
 public:
  struct Arrival {
    TimePoint time;  // when it was read
    Bytes total;     // of all read so far
  };
  static constexpr size_t kMostArrivals = 1 << 20;
  static constexpr int kPipeSize = static_cast<int>(MiB(1).count);

  explicit OutputChild(const StallPlan& plan = {});

  // The end to write to.
  int descriptor() const { return writer_.get(); }
  // Closes it, and waits until the reader has seen the end.
  void Finish();

  // After Finish. Of what came in, at most kMostArrivals.
  std::span<const Arrival> arrivals() const;
  Bytes total() const { return {shared_->total}; }
  // How often it stalled while something waited to be read.
  uint64_t stalls() const { return shared_->stalls; }

 private:
  struct Shared {
    uint64_t total = 0;
    uint64_t stalls = 0;
    uint64_t count = 0;
    std::array<Arrival, kMostArrivals> arrivals;
  };

  int Drain(int fd, const StallPlan& plan) const;

  SharedObject<Shared> shared_;
  UniqueFd writer_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_OUTPUT_CHILD_H_
