// The tracker's side of a save without its scan: faults of a child are served as in a real one.
#ifndef STILLFRAME_BENCH_TRACKER_RIG_H_
#define STILLFRAME_BENCH_TRACKER_RIG_H_

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "fault/fault_log.h"
#include "save/armed_memory.h"
#include "save/save_plan.h"
#include "save/tracker_thread.h"
#include "stillframe/save.h"
#include "track/fault_tracker.h"
#include "track/stage.h"

namespace stillframe::bench {

// Arms `range` of the target and serves its faults until it is destroyed, with the FaultTracker on
// its own thread, and another thread that takes the pages out of the stage and drops them.
//
// Thread rule: one thread.
class TrackerRig {
 public:
  TrackerRig(const Target& target, const FaultChannel& channel, AddressRange range,
             TrackerWait wait);
  ~TrackerRig();

  // Pages that were copied, proven and staged.
  uint64_t staged() const { return staged_; }
  const LatencyHistogram& waits() const { return tracker_->waits(); }

 private:
  void DropStaged();

  ArmedMemory armed_;
  MappedPtr<Stage> stage_;
  MappedPtr<FaultLog> log_;
  MappedPtr<FaultTracker> tracker_;
  MappedPtr<TrackedMemory> tracked_;
  std::atomic<uint64_t> staged_ = 0;
  std::atomic<bool> stopping_ = false;
  std::optional<TrackerThread> tracker_thread_;
  std::thread drop_thread_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_TRACKER_RIG_H_
