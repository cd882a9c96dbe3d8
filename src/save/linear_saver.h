// The linear scan: walks the pages that nobody faulted on, and holds itself back by what the
// tracker saw.
#ifndef STILLFRAME_SAVE_LINEAR_SAVER_H_
#define STILLFRAME_SAVE_LINEAR_SAVER_H_

#include <array>
#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "fault/fault_channel.h"
#include "fault/fault_log.h"
#include "region/huge_page.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/target.h"
#include "stillframe/throttle.h"
#include "track/fault_tracker.h"
#include "track/page_copy.h"
#include "track/stage.h"
#include "track/tracked_memory.h"

namespace stillframe {

// Saves a run of pages at a time: takes a buffer, asks the throttle, claims, copies, proves, opens
// with one call, hands on. It never waits between claiming a page and opening it, since a writer of
// the target may be waiting for just that.
//
// Lives in mapped memory (MakeMapped): when our own heap is being saved, a write to a page that
// this very thread has claimed would never end. For the same reason nothing here writes to the heap
// between claim and open.
//
// Thread rule: Run by an RcuThread; the counters from any thread.
class LinearSaver {
 public:
  struct Parts {
    const Target& target;
    const FaultChannel& channel;
    TrackedMemory& memory;
    FaultTracker& tracker;
    Stage& stage;
    FaultLog& log;
    ThrottlePolicy& policy;
    const PageSink& sink;  // only its counters
    const Clock& clock;
  };

  explicit LinearSaver(const Parts& parts) : parts_(parts) {}

  // Returns when every page that was present is claimed by somebody. `check` is asked before each
  // run and while waiting: its error ends the scan. kTargetGone when the target went away with
  // pages unsaved.
  Result<void> Run(const std::function<Result<void>()>& check);

  // The throttle pushes nothing at present.
  bool holding_back() const { return holding_back_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kMostPages = kHugePagePages.count;  // of one run
  static constexpr size_t kMostBuffers = 128;                 // that hold one run

  // How many pages from run.first on have to be opened by one call: a page of hugetlb, or a
  // transparent huge page that nobody has any of, which then stays one.
  Pages Together(PageRun run, Pages unit) const;
  // How much of the run lies before the next transparent huge page.
  Pages BeforeHugePage(PageRun run) const;
  // The next stretch of `left` that is present and unclaimed, at most kMostPages; huge pages whole.
  PageRun NextRun(PageRun left) const;
  Result<void> WalkRegion(PageRun region, const std::function<Result<void>()>& check);
  // Whether every claimer is done; if not, after a moment's rest.
  bool AllSettled(std::span<const PageRun> order) const;
  // Buffers for one run of `unit`, as soon as the stage has them.
  Result<std::span<uint32_t>> TakeBuffers(Pages unit, const std::function<Result<void>()>& check);
  ThrottleSample Sample();
  // How many pages may be pushed, once the policy lets any; zero as soon as none of `left` is
  // unclaimed, whatever the policy says: it would only delay the end.
  Result<Pages> AskThrottle(PageRun left, const std::function<Result<void>()>& check);
  // Waits for a fault, `poll` at most. What of `left` is still to be scanned.
  Result<PageRun> Poll(PageRun left, Duration poll, const std::function<Result<void>()>& check);

  // Saves what of the run is still unclaimed, up to the first page that isn't. Returns how far the
  // walk may go on from here; zero: try again, an event is unread.
  Pages SaveRun(PageRun run, std::span<const uint32_t> buffers);
  PageRun Claim(PageRun run);
  // Copies the run into the buffers and fills entries_.
  Pages CopyInto(std::span<const uint32_t> buffers, PageRun run, TargetAddress live);
  // Gives back what of a claimed run was not copied; the rest.
  PageRun KeepCopied(PageRun claimed, Pages copied);
  void GiveBack(PageRun run);
  // Loses the pages of the run that proven_ doesn't name, or gives them back where they may have
  // moved.
  void SettleUnproven(PageRun run, bool moved);
  void Lose(PageRun run);
  // Opens the range and fills opened_. False when it was refused since an event is unread.
  bool Open(AddressRange range);
  void HandOn(PageRun run, std::span<const uint32_t> buffers, std::span<const bool> proven);

  const Parts parts_;
  ThrottleSample::Reason reason_ = ThrottleSample::Reason::kFirst;
  std::atomic<bool> holding_back_ = false;
  std::array<uint32_t, kMostBuffers> buffers_ = {};
  std::array<iovec, kMostBuffers> to_ = {};
  std::array<PagemapEntry, kMostPages> entries_ = {};
  std::array<bool, kMostPages> opened_ = {};
  std::array<bool, kMostPages> proven_ = {};
  uint64_t failed_copies_ = 0;
  Pages pushed_;  // since the last sample
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_LINEAR_SAVER_H_
