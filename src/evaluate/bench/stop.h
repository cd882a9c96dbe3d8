// Ends a bench early, from any thread, whatever it is doing.
#ifndef STILLFRAME_EVALUATE_BENCH_STOP_H_
#define STILLFRAME_EVALUATE_BENCH_STOP_H_

#include <condition_variable>
#include <mutex>

#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// Thread rule: Cancel and cancelled from any thread; everything else by the bench's own.
class BenchStop {
 public:
  // For good.
  void Cancel();
  bool cancelled() const;

  // Ends early with kInterrupted.
  Result<void> SleepUntil(TimePoint time);
  Result<void> SleepFor(Duration duration);
  // Runs it such that Cancel ends it.
  Result<SaveSummary> Run(SaveSession& session);

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool cancelled_ = false;
  SaveSession* session_ = nullptr;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_STOP_H_
