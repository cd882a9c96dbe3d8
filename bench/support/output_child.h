// A pipe with another process at its end, which notes when what arrived.
#ifndef STILLFRAME_BENCH_SUPPORT_OUTPUT_CHILD_H_
#define STILLFRAME_BENCH_SUPPORT_OUTPUT_CHILD_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "evaluate/bench/output.h"
#include "stillframe/units.h"
#include "support/shared_object.h"

namespace stillframe::bench {

// How the reader stalls: for `length` at the end of every `period`. No length: never.
struct StallPlan {
  Duration period = std::chrono::milliseconds(250);
  Duration length{0};
};

// PipeReader with a log. Thread rule: one thread.
class OutputChild {
 public:
  struct Arrival {
    TimePoint time;  // when it was read
    Bytes total;     // of all read so far
  };
  static constexpr size_t kMostArrivals = 1 << 20;

  explicit OutputChild(const StallPlan& plan = {});

  // The end to write to.
  int descriptor() const { return reader_->descriptor(); }
  // Closes it, and waits until the reader has seen the end.
  void Finish() { reader_->Finish(); }

  // After Finish. Of what came in, at most kMostArrivals.
  std::span<const Arrival> arrivals() const;
  Bytes total() const { return reader_->total(); }
  // How often it stalled while something waited to be read.
  uint64_t stalls() const { return reader_->stalls(); }

 private:
  struct Log {
    uint64_t count = 0;
    std::array<Arrival, kMostArrivals> arrivals;
  };

  SharedObject<Log> log_;
  std::unique_ptr<evaluate::PipeReader> reader_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_OUTPUT_CHILD_H_
