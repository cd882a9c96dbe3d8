// What every way of saving shares: where the memory is, where it goes, what the caller wants, and
// what the save has come to.
#ifndef STILLFRAME_SAVE_SAVE_CONTEXT_H_
#define STILLFRAME_SAVE_SAVE_CONTEXT_H_

#include <atomic>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "save/output_pacer.h"
#include "save/save_planner.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/save.h"
#include "stillframe/target.h"

namespace stillframe {

// Thread rule: the session's; `cancelled` and `pages_to_do` are read and written by any, and so are
// the sink's counters.
struct SaveContext {
  SaveContext(std::unique_ptr<Target> its_target, std::unique_ptr<PageSink> its_sink,
              SaveOptions its_options);

  // kInterrupted once the caller cancelled.
  Result<void> CheckCancelled() const;
  bool IsCancelled() const { return cancelled.load(std::memory_order_acquire); }
  PauseOptions HowToPause(bool for_fork = false) const;
  // Inside the pause: kLimit once it has taken longer than its limit, if the caller wants to give
  // up then. CheckCancelled asks it as well.
  Result<void> CheckPauseLimit() const;
  // The registers and all else that isn't memory, of the paused target.
  Result<void> CaptureState();
  // Tells the sink where pages will come from, by the plan as it is. As settled once: whoever comes
  // later has nothing to add.
  Result<void> ExpectPages(Expectation expectation);
  // The caller's own work at the instant of the image; its time is no part of the pause.
  Result<void> CallAtInstant();
  // What is told of one save is told of the next one from the beginning; the plan stays.
  void BeginAnew();

  const Clock& clock = MonotonicClock();
  const std::unique_ptr<Target> target;
  const std::unique_ptr<PageSink> sink;
  const SaveOptions options;
  const bool is_self;  // the target is this very process
  OutputPacer pacer;
  SavePlanner planner;
  std::optional<TimePoint> stopped;  // since when the target stands still; none while it runs
  TimePoint resumed;                 // when the target was let run again
  ImageMetadata metadata;
  SaveSummary summary;
  bool settled = false;  // the sink was told of the plan for good
  std::atomic<bool> cancelled = false;
  std::atomic<uint64_t> pages_to_do = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SAVE_CONTEXT_H_
