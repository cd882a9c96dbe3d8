#include "save/pre_arm.h"

#include <algorithm>

#include "base/fail_point.h"

namespace stillframe {
namespace {

// A round of fewer pages says little about what one costs.
constexpr uint64_t kFewPages = 64;
// Blocks of memory that came into use during a round, at 40 us each.
constexpr uint64_t kFewBlocks = 2;
constexpr Duration kFirstSlowdown = std::chrono::microseconds(50);

// KSM takes the marks of what it merges, and tells nobody: such memory is armed inside the pause.
bool CanBeArmedEarly(const Region& region) {
  return region.page_size == kPageSize && !region.shared() && !region.mergeable;
}

}  // namespace

Result<void> PreArm::ArmAll() {
  const TimePoint begin = parts_.clock.Now();
  for (const Region& region : parts_.memory.regions.regions()) {
    if (!CanBeArmedEarly(region)) continue;
    STILLFRAME_TRY(parts_.check());
    STILLFRAME_TRY(armer_.ArmPopulated(region, region.run()));
    FailPoint("prearm.armed");
  }
  summary_.rounds = 1;
  summary_.duration += parts_.clock.Now() - begin;
  return {};
}

Result<void> PreArm::Converge() {
  const TimePoint begin = parts_.clock.Now();
  Duration slowdown{0};
  Pages before{UINT64_MAX};
  for (;;) {
    const Pages left = parts_.memory.arming.opened.CountSet();
    const bool fits = Estimate(left) <= parts_.budget && few_new_;
    if (fits || summary_.rounds >= kMostRounds) break;
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
  ArmingLog& log = parts_.memory.arming;
  log.unknown.clear();
  for (const Region& region : parts_.memory.regions.regions()) armer_.ListUnknown(region);
  log.listed = true;
}

Result<void> PreArm::Round() {
  const TimePoint begin = parts_.clock.Now();
  const Pages pages = parts_.memory.arming.opened.CountSet();
  for (const Region& region : parts_.memory.regions.regions()) {
    if (CanBeArmedEarly(region)) STILLFRAME_TRY(armer_.ArmOpened(region));
    FailPoint("prearm.again");
  }
  const Duration took = parts_.clock.Now() - begin;
  page_cost_ = took / static_cast<int64_t>(std::max(kFewPages, pages.count));
  const uint64_t calls = armer_.calls();
  for (const Region& region : parts_.memory.regions.regions()) {
    if (CanBeArmedEarly(region)) STILLFRAME_TRY(armer_.ArmNew(region));
  }
  few_new_ = armer_.calls() - calls <= kFewBlocks;
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
