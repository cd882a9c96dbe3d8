// The output that the bench saves to: a file, or a pipe with another process at its end.
#ifndef STILLFRAME_EVALUATE_BENCH_OUTPUT_H_
#define STILLFRAME_EVALUATE_BENCH_OUTPUT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "evaluate/bench/child.h"
#include "evaluate/bench/plan.h"
#include "evaluate/bench/shared.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"

namespace stillframe::evaluate {

// Reads everything from a pipe of 1 MiB and throws it away, as slowly as planned.
//
// Thread rule: one thread, which outlives it.
class PipeReader {
 public:
  static constexpr int kPipeSize = 1 << 20;

  // Called in the reader's process after each read, with all that came so far.
  using OnRead = std::function<void(Bytes total)>;

  // `plan`: its stall, period and bandwidth count.
  static Result<std::unique_ptr<PipeReader>> Start(const BenchOutputPlan& plan,
                                                   const OnRead& on_read = nullptr);

  // The end to write to.
  int descriptor() const { return writer_.get(); }
  // Closes it, and waits until the reader has seen the end.
  void Finish();

  Bytes total() const { return {shared_->total.load()}; }
  // How often it stalled while something waited to be read.
  uint64_t stalls() const { return shared_->stalls.load(); }

 private:
  struct Shared {
    std::atomic<uint64_t> total = 0;
    std::atomic<uint64_t> stalls = 0;
  };

  PipeReader() = default;

  SharedObject<Shared> shared_;
  UniqueFd writer_;
  std::unique_ptr<ChildProcess> child_;
};

// One use of the planned output. Thread rule: as PipeReader.
class BenchOutput {
 public:
  static Result<std::unique_ptr<BenchOutput>> Open(const BenchOutputPlan& plan);
  BenchOutput(const BenchOutput&) = delete;
  BenchOutput& operator=(const BenchOutput&) = delete;
  // Leaves nothing behind. `plan` outlives it.
  ~BenchOutput();

  Output output() const;
  // The same as a path that other processes can open.
  std::string path() const;
  // When the save is over: how often the reader of a pipe stalled with something to read.
  uint64_t Finish();

 private:
  explicit BenchOutput(const BenchOutputPlan& plan) : plan_(plan) {}

  const BenchOutputPlan& plan_;
  std::unique_ptr<PipeReader> reader_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_OUTPUT_H_
