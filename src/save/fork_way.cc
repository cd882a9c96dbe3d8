#include "save/fork_way.h"

#include <string>

#include "base/fail_point.h"
#include "sys/page_map_scanner.h"

namespace stillframe {

ForkWay::ForkWay(SaveContext& context)
    : context_(context),
      memory_(StillMemoryOf(*context.target)),
      saver_(*context.sink, context.pacer, PageSource::kScanned),
      paused_(copies_, saver_, *context.sink) {}

Result<void> ForkWay::Prepare() {
  // Not needed: nothing of the target is registered.
  context_.target->CloseUserfaultfd();
  STILLFRAME_TRY(context_.planner.Make({}));
  STILLFRAME_TRY(copies_.Reserve(memory_, context_.planner.plan(), AvailableMemory()));
  return copies_.ReadAhead(memory_, context_.planner.plan(), AvailableMemory() / 2,
                           [this] { return context_.CheckCancelled(); });
}

Result<void> ForkWay::WhilePaused() {
  STILLFRAME_TRY(context_.planner.Refresh());
  STILLFRAME_ASSIGN(child_, context_.target->Fork());
  FailPoint("save.forked");
  STILLFRAME_TRY(CopyWhatIsNotInherited());
  STILLFRAME_TRY(
      copies_.Take(memory_, context_.planner.plan(), [this] { return context_.IsCancelled(); }));
  STILLFRAME_TRY(context_.CaptureState());
  return context_.CallAtInstant();
}

// The flags in smaps would tell too, but to read them now is a walk over all present pages, and as
// they were before the pause they may be out of date. A mapping's flags are the same for all of it,
// so the child has all of its pages or none.
Result<void> ForkWay::CopyWhatIsNotInherited() {
  const PageMapScanner of_child(child_->pagemap(), {});
  const PageMapScanner of_target(memory_.pagemap, {});
  for (PlannedMapping& planned : context_.planner.plan()) {
    if (planned.treatment != Treatment::kArm) continue;
    const Result<bool> inherited = of_child.FindsAny(planned.saved);
    if (!inherited) {
      STILLFRAME_TRY(CheckChild());
      return tl::unexpected(inherited.error());
    }
    if (*inherited && IsPrivateAnonymous(planned.mapping)) continue;
    STILLFRAME_ASSIGN(const bool present, of_target.FindsAny(planned.saved));
    if (present) planned.treatment = Treatment::kCopy;
  }
  // A child that is gone has no pages either.
  return CheckChild();
}

Result<void> ForkWay::CheckChild() const {
  if (child_->CheckAlive()) return {};
  return Fail(ErrorCode::kLimit,
              "the forked copy of process " + std::to_string(context_.target->pid()) +
                  " was killed, as when memory runs out: the save was given up",
              "--via wp needs less memory; so does a target that writes less meanwhile");
}

Result<void> ForkWay::SavePages() {
  const std::span<const PlannedMapping> plan = context_.planner.plan();
  context_.pages_to_do.store(ExpectedPages(plan).count, std::memory_order_relaxed);
  StillMemory frozen = StillMemoryOf(*child_);
  frozen.check_alive = [this] { return CheckChild(); };
  const auto check = [this] { return context_.CheckCancelled(); };
  for (const PlannedMapping& planned : plan) {
    if (planned.treatment != Treatment::kArm) continue;
    // Else it can wait until the child is gone, which costs the target memory as long as it lives.
    if (context_.sink->needs_order()) {
      STILLFRAME_TRY(paused_.TellBelow(planned.saved.begin, check));
    }
    STILLFRAME_TRY(saver_.Save(frozen, planned, check));
  }
  // A child that was killed has no pages, which looks like holes.
  return CheckChild();
}

Result<std::vector<RangeReason>> ForkWay::Finish() {
  STILLFRAME_TRY(paused_.TellRest([this] { return context_.CheckCancelled(); }));
  return std::vector<RangeReason>();
}

std::vector<AddressRange> ForkWay::Unreadable() const {
  std::vector<AddressRange> all(copies_.unreadable().begin(), copies_.unreadable().end());
  all.insert(all.end(), saver_.unreadable().begin(), saver_.unreadable().end());
  return all;
}

void ForkWay::AddTo(SaveSummary* summary) const { summary->policy = "none"; }

void ForkWay::AddTo(SaveProgress* progress) const { progress->done = saver_.done(); }

}  // namespace stillframe
