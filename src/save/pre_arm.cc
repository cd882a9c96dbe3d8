#include "save/pre_arm.h"

#include <algorithm>
#include <iterator>

#include "base/fail_point.h"

namespace stillframe {
namespace {

// A round of fewer pages says little about what one costs.
constexpr uint64_t kFewPages = 64;
// Blocks of memory that came into use during a round, at 40 us each.
constexpr uint64_t kFewBlocks = 2;
constexpr Duration kFirstSlowdown = std::chrono::microseconds(50);
// What asking anew costs inside the pause: for each stretch, and for each of its pages.
constexpr Duration kStaleRun = std::chrono::microseconds(5);
constexpr Duration kStalePage = std::chrono::nanoseconds(30);
// So many rounds in a row that leave about as much stale as there was are enough.
constexpr int kMostInVain = 3;

}  // namespace

Result<void> PreArm::ArmAll() {
  const TimePoint begin = parts_.clock.Now();
  for (const Region& region : memory_->regions.regions()) {
    if (!CanBeArmedEarly(region)) continue;
    STILLFRAME_TRY(parts_.check());
    STILLFRAME_TRY(armer_->ArmPopulated(region, region.run()));
    FailPoint("prearm.armed");
  }
  summary_.rounds = 1;
  summary_.duration += parts_.clock.Now() - begin;
  return {};
}

Result<void> PreArm::Again() {
  const TimePoint begin = parts_.clock.Now();
  STILLFRAME_TRY(parts_.check());
  STILLFRAME_TRY(Round());
  summary_.duration += parts_.clock.Now() - begin;
  return {};
}

Result<void> PreArm::Converge() {
  const uint64_t most_rounds = summary_.rounds - 1 + kMostRounds;
  const TimePoint begin = parts_.clock.Now();
  Duration slowdown{0};
  Pages before{UINT64_MAX};
  Duration stale_before = Duration::max();
  int in_vain = 0;
  for (;;) {
    const Pages left = memory_->arming.opened.CountSet();
    const Duration stale = StaleCost();
    const bool few = Estimate(left) <= parts_.budget && few_new_;
    converged_ = few && Estimate(left) + stale <= parts_.budget;
    // Who discards without pause leaves always something: that alone is no reason to go on.
    in_vain = stale > stale_before / 2 ? in_vain + 1 : 0;
    stale_before = stale;
    if (converged_ || (few && in_vain >= kMostInVain) || summary_.rounds >= most_rounds) break;
    // Halved each time it is soon done.
    if (left > before / 2 && Estimate(left) > parts_.budget) slowdown = SlowDown(slowdown);
    before = left;
    STILLFRAME_TRY(parts_.check());
    STILLFRAME_TRY(Round());
  }
  ListUnknown();
  parts_.tracker.SetSlowdown(Duration(0));
  summary_.slowed = parts_.tracker.slowed();
  summary_.duration += parts_.clock.Now() - begin;
  return {};
}

void PreArm::ListUnknown() {
  ArmingLog& log = memory_->arming;
  log.unknown.clear();
  for (const Region& region : memory_->regions.regions()) armer_->ListUnknown(region);
  std::ranges::sort(log.unknown, {}, &PageRun::first);
  log.listed = true;
}

void PreArm::SetMemory(TrackedMemory& memory) {
  memory_ = &memory;
  armer_.emplace(parts_.target, parts_.channel, memory);
  memory.arming.any_foreign.store(false);  // before the bits
  for (const Region& region : memory.regions.regions()) {
    for (const PageRun run : armer_->TakeForeign(region)) armer_->AskAnew(run);
  }
  few_new_ = false;
}

Duration PreArm::StaleCost() const {
  Duration cost{0};
  if (!parts_.await_calls || !calls_end_ || !memory_->arming.any_stale.load()) return cost;
  for (const Region& region : memory_->regions.regions()) {
    if (!CanBeArmedEarly(region)) continue;
    ForEachSet(memory_->arming.stale, region.run(), [&cost](PageRun run) {
      cost += kStaleRun + kStalePage * static_cast<int64_t>(run.count.count);
    });
  }
  return cost;
}

std::vector<PageRun> PreArm::TakeStale() {
  std::vector<PageRun> stale;
  if (!memory_->arming.any_stale.exchange(false)) return stale;
  for (const Region& region : memory_->regions.regions()) {
    if (!CanBeArmedEarly(region)) continue;
    std::ranges::copy(armer_->TakeStale(region), std::back_inserter(stale));
  }
  return stale;
}

Result<void> PreArm::AskStaleAnew() {
  // Little of it is asked for in the pause as soon as here, and nobody has to be waited for.
  if (StaleCost() <= parts_.budget / 2) return {};
  // Taken off the list first: what comes onto it from here on may still be under way afterwards.
  const std::vector<PageRun> stale = TakeStale();
  const Result<void> over = parts_.await_calls();
  if (!over) {
    for (const PageRun run : stale) memory_->arming.stale.SetRun(run);
    memory_->arming.any_stale.store(true);
    calls_end_ = false;
    return over.error().code == ErrorCode::kLimit ? Result<void>() : over;
  }
  FailPoint("prearm.stale");
  for (const PageRun run : stale) armer_->AskAnew(run);
  return {};
}

Result<void> PreArm::Round() {
  STILLFRAME_TRY(AskStaleAnew());
  const TimePoint begin = parts_.clock.Now();
  const Pages pages = memory_->arming.opened.CountSet();
  for (const Region& region : memory_->regions.regions()) {
    if (CanBeArmedEarly(region)) STILLFRAME_TRY(armer_->ArmOpened(region));
    FailPoint("prearm.again");
  }
  const Duration took = parts_.clock.Now() - begin;
  page_cost_ = took / static_cast<int64_t>(std::max(kFewPages, pages.count));
  const uint64_t calls = armer_->calls();
  for (const Region& region : memory_->regions.regions()) {
    if (CanBeArmedEarly(region)) STILLFRAME_TRY(armer_->ArmNew(region));
  }
  few_new_ = armer_->calls() - calls <= kFewBlocks;
  summary_.logged += pages;
  ++summary_.rounds;
  return {};
}

Duration PreArm::Estimate(Pages pages) const {
  return page_cost_ * static_cast<int64_t>(pages.count);
}

Duration PreArm::SlowDown(Duration before) const {
  const Duration slowdown =
      before == Duration(0) ? kFirstSlowdown : std::min(2 * before, parts_.most_slowdown);
  parts_.tracker.SetSlowdown(slowdown);
  return slowdown;
}

}  // namespace stillframe
