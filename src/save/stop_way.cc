#include "save/stop_way.h"

#include "base/fail_point.h"
#include "save/pinned_pages.h"

namespace stillframe {

StopWay::StopWay(SaveContext& context)
    : context_(context),
      memory_(StillMemoryOf(*context.target)),
      saver_(*context.sink, context.pacer, PageSource::kPaused) {}

Result<void> StopWay::Prepare() {
  // Not needed: nothing of the target is registered.
  context_.target->CloseUserfaultfd();
  STILLFRAME_TRY(context_.planner.Make({}));
  PinnedMemory rings;
  STILLFRAME_TRY(rings.Look(*context_.target, context_.planner.mappings()));
  if (rings.empty()) return {};
  return Fail(
      ErrorCode::kUnsupported,
      "the target uses io_uring: the kernel would go on writing for it while it stands still",
      "--via fork, or wp");
}

Result<void> StopWay::WhilePaused() {
  STILLFRAME_TRY(context_.planner.Refresh());
  STILLFRAME_TRY(context_.CaptureState());
  STILLFRAME_TRY(context_.CallAtInstant());
  STILLFRAME_TRY(context_.ExpectPages(Expectation::kSettled));
  const std::span<const PlannedMapping> plan = context_.planner.plan();
  context_.pages_to_do.store(ExpectedPages(plan).count, std::memory_order_relaxed);
  for (const PlannedMapping& planned : plan) {
    if (planned.treatment == Treatment::kSkip) continue;
    STILLFRAME_TRY(saver_.Save(memory_, planned, [this] { return context_.CheckCancelled(); }));
  }
  FailPoint("save.stop-copied");
  // Whatever was read since it went would be another process's.
  return context_.target->CheckAlive();
}

std::vector<AddressRange> StopWay::Unreadable() const {
  return {saver_.unreadable().begin(), saver_.unreadable().end()};
}

void StopWay::AddTo(SaveSummary* summary) const { summary->policy = "none"; }

void StopWay::AddTo(SaveProgress* progress) const { progress->done = saver_.done(); }

}  // namespace stillframe
