#include "save/late_rounds.h"

#include <algorithm>

#include "base/fail_point.h"
#include "save/late_pace.h"
#include "save/page_armer.h"

namespace stillframe {
namespace {

constexpr Bytes kAll{UINT64_MAX};
// Each of them stops the target for a moment.
constexpr int kMostRegistrations = 8;

void ForgetRange(AddressRange range, TrackedMemory& memory) {
  const std::span<const Region> regions = memory.regions.regions();
  auto region = std::ranges::partition_point(
      regions, [range](const Region& each) { return each.range.end <= range.begin; });
  for (; region != regions.end() && region->range.begin < range.end; ++region) {
    ForgetCopies(region->PagesIn(range), memory);
  }
}

}  // namespace

LateRounds::LateRounds(SaveContext& context)
    : context_(context), copy_(*context.target, *context.sink, context.pacer) {}

Result<void> LateRounds::Run(PreArm& pre_arm, TrackedMemory* memory, const Registrar& registrar,
                             const std::function<Result<void>()>& check) {
  Pages missing = LateCopy::Missing(*memory);
  context_.pages_to_do.store(missing.count, std::memory_order_relaxed);
  LatePace pace(missing, context_.options.stage);
  for (int registrations = 1; pace.IsWorthRound(missing);) {
    STILLFRAME_ASSIGN(const bool copied, CopyOnce(*memory, check));
    if (!copied) break;
    ++rounds_;
    STILLFRAME_ASSIGN(Bytes fresh, registrar.unregistered(kAll));
    // What nobody has registered nobody can copy before the instant, and what is new is what a
    // program gives back first.
    if (fresh > ToBytes(pace.few()) / 2 && registrations < kMostRegistrations) {
      STILLFRAME_ASSIGN(memory, registrar.register_more());
      ++registrations;
      fresh = Bytes{0};
    }
    STILLFRAME_TRY(pre_arm.Again());
    missing = LateCopy::Missing(*memory) + ToPages(fresh);
  }
  return {};
}

Result<bool> LateRounds::CopyOnce(TrackedMemory& memory,
                                  const std::function<Result<void>()>& check) {
  // What a call writes by DMA to a page that is armed by now leaves no trace.
  const Result<void> over = context_.target->AwaitSystemCalls(context_.HowToPause());
  if (!over && over.error().code == ErrorCode::kLimit) return false;
  STILLFRAME_TRY(over);
  FailPoint("late.awaited");
  STILLFRAME_TRY(NotePinned());
  STILLFRAME_TRY(copy_.CopyMissing(memory, check));
  // Those that were registered meanwhile.
  STILLFRAME_TRY(NotePinned());
  return true;
}

Result<void> LateRounds::NotePinned() {
  return pinned_.Look(*context_.target, context_.planner.mappings(),
                      [this] { return context_.CheckCancelled(); });
}

void LateRounds::ForgetPinned(std::span<const AddressRange> pinned, TrackedMemory& memory) const {
  for (const AddressRange range : pinned) ForgetRange(range, memory);
  for (const auto& [begin, end] : pinned_.ever()) ForgetRange({begin, end}, memory);
}

void LateRounds::AddTo(SaveSummary* summary) const {
  summary->rounds = {.count = rounds_, .copied = ToBytes(copy_.done())};
}

}  // namespace stillframe
