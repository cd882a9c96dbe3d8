// Memory that is armed while the target changes it: what is known of it in the pause, held against
// what the page map says then.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "fault/fault_channel.h"
#include "fault/fault_log.h"
#include "kernel/puppet.h"
#include "region/rcu.h"
#include "save/armed_memory.h"
#include "save/pre_arm.h"
#include "save/presence_audit.h"
#include "stillframe/target.h"
#include "sys/pagemap.h"
#include "track/fault_tracker.h"
#include "track/stage.h"

namespace stillframe {
namespace {

using Order = Puppet::Order;

class SavePreArmTest : public testing::TestWithParam<bool> {
 protected:
  static constexpr uint64_t kPages = 2000;
  static constexpr uint64_t kHoles = 1500;  // pages from here on are holes

  void SetUp() override {
    auto target = AttachProcess(puppet_.pid());
    ASSERT_TRUE(target) << target.error().message;
    target_ = std::move(*target);
    channel_.emplace(*FaultChannel::Connect(target_->userfaultfd(), GetParam()));
    if (GetParam() && !channel_->marks_holes()) GTEST_SKIP() << "no WP_UNPOPULATED: Linux 6.4";
    tracker_ = MakeMapped<FaultTracker>(*channel_, *target_, *stage_, *log_, MonotonicClock(),
                                        FaultTracker::Options{});
    armed_.emplace(*target_, *channel_);
    ReadPlan();
    ASSERT_TRUE(armed_->Register(&plan_));
    tracked_ = armed_->MakeTracked(plan_);
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kArming);
    pre_arm_.emplace(PreArm::Parts{.target = *target_,
                                   .channel = *channel_,
                                   .tracker = *tracker_,
                                   .memory = *tracked_,
                                   .clock = MonotonicClock(),
                                   .budget = Duration(0),
                                   .check = [] { return Result<void>(); }});
  }

  void TearDown() override {
    if (!armed_) return;
    tracker_->SetMode(FaultTracker::Mode::kOpening);
    armed_->Release(tracked_.get());
  }

  // The mappings where the puppet's memory was at first.
  void ReadPlan() {
    const auto mappings = target_->ReadMappings(false);
    ASSERT_TRUE(mappings);
    plan_.clear();
    for (const Mapping& mapping : *mappings) {
      if (!mapping.range.Overlaps(puppet_.range())) continue;
      plan_.push_back(
          {.mapping = mapping, .treatment = Treatment::kArm, .saved = mapping.range, .reason = {}});
    }
  }

  void Track() {
    pollfd entry{.fd = channel_->descriptor(), .events = POLLIN, .revents = 0};
    while (poll(&entry, 1, 0) == 1) {
      tracker_->OnReadable();
      tracker_->Step();
    }
    tracker_->Step();
  }
  void Do(Order order, uint64_t page, uint64_t pages = 1, TargetAddress to = {}) {
    puppet_.Tell(order, page, pages, to);
    while (!puppet_.Done()) Track();
    Track();
  }

  // What is done inside the pause, of a puppet that waits for its next order.
  void Pause() {
    tracker_->SetMode(FaultTracker::Mode::kHolding);
    ReadPlan();
    ASSERT_TRUE(armed_->Register(&plan_));
    auto now = armed_->BringUpToDate(plan_, tracked_);
    early_ = std::exchange(tracked_, std::move(now));
    tracker_->SetMemory(tracked_.get());
    ASSERT_TRUE(armed_->Arm(plan_, tracked_.get()));
  }

  // That the ledger knows each page, that each is armed, and that holes are known as such.
  void ExpectExact() {
    uint64_t seen = 0;
    for (const Region& region : tracked_->regions.regions()) {
      for (PageIndex page = region.first; page < region.run().end();
           page = page + Pages{1}, ++seen) {
        const TargetAddress at = tracked_->regions.AddressOf(page);
        std::array<PagemapEntry, 1> entry;
        ASSERT_EQ(ReadPagemap(target_->pagemap(), at, entry), 1u);
        const bool there = entry[0].populated() && !entry[0].marker();
        EXPECT_EQ(tracked_->ledger.present.Test(page), there) << "page " << Number(at);
        EXPECT_TRUE(!there || entry[0].armed()) << "page " << Number(at);
      }
    }
    EXPECT_GT(seen, 0u);
  }
  uint64_t Number(TargetAddress at) const { return ToPages(at - puppet_.range().begin).count; }
  // Of the puppet's own: its mapping may be one with its neighbours.
  Pages Mapped() const {
    Pages mapped;
    for (const Region& region : tracked_->regions.regions()) {
      mapped += Intersect(region.range, puppet_.range()).pages();
    }
    return mapped;
  }
  Pages Present() const {
    Pages present;
    for (const Region& region : tracked_->regions.regions()) {
      const AddressRange own = Intersect(region.range, puppet_.range());
      const PageRun run{region.first + ToPages(own.begin - region.range.begin), own.pages()};
      ForEachSet(tracked_->ledger.present, run, [&](PageRun set) { present += set.count; });
    }
    return present;
  }
  uint64_t Opened() const { return tracked_->arming.opened.CountSet().count; }

  const RcuThread rcu_;
  Puppet puppet_{kPages, kHoles};
  MappedPtr<Stage> stage_ = MakeMapped<Stage>(MiB(1));
  MappedPtr<FaultLog> log_ = MakeMapped<FaultLog>();
  std::unique_ptr<Target> target_;
  std::optional<FaultChannel> channel_;
  std::optional<ArmedMemory> armed_;
  MappedPtr<FaultTracker> tracker_;
  std::vector<PlannedMapping> plan_;
  MappedPtr<TrackedMemory> early_;
  MappedPtr<TrackedMemory> tracked_;
  std::optional<PreArm> pre_arm_;
};

TEST_P(SavePreArmTest, WhatNobodyTouchesIsLeftAloneInThePause) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  EXPECT_EQ(Present(), Pages{kHoles});
  Pause();
  EXPECT_EQ(early_, nullptr) << "nothing changed, so what was known is taken over as it is";
  ExpectExact();
}

TEST_P(SavePreArmTest, WhatIsWrittenMeanwhileIsArmedAgain) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kWrite, 10, 3);
  EXPECT_EQ(Opened(), 3u);
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_EQ(Opened(), 0u);
  EXPECT_EQ(pre_arm_->summary().logged, Pages{3});
  Do(Order::kWrite, 11, 1);
  Do(Order::kWrite, 700, 1);
  Do(Order::kWrite, 1400, 1);
  EXPECT_EQ(Opened(), 3u);
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmTest, AHoleThatIsWrittenMeanwhileIsAPageOfTheInstant) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kWrite, kHoles, 1);  // beside pages
  Do(Order::kWrite, kPages - 1, 1);
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmTest, AHoleThatIsWrittenBetweenRoundsIsAPageOfTheInstant) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kWrite, kHoles + 3, 5);
  Do(Order::kWrite, kPages - 2, 2);
  Do(Order::kWrite, 0, 1);  // so that there is something to converge
  ASSERT_TRUE(pre_arm_->Converge());
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmTest, WhatIsDiscardedMeanwhileIsAHole) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kDiscard, 100, 700);
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{kHoles - 700});
}

TEST_P(SavePreArmTest, WhatIsDiscardedAndWrittenAgainIsAPage) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kDiscard, 100, 700);
  Do(Order::kWrite, 300, 20);
  Do(Order::kWrite, 0, 1);
  ASSERT_TRUE(pre_arm_->Converge());
  Do(Order::kWrite, 500, 1);
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{kHoles - 700 + 21});
}

TEST_P(SavePreArmTest, WhatIsFreedIsStillThereUntilItIsReclaimed) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kFree, 100, 10);
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmTest, AMappingThatGoesIsNoMemoryOfTheInstant) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kUnmap, 200, 100);
  Pause();
  ExpectExact();
  EXPECT_EQ(Mapped(), Pages{kPages - 100});
  EXPECT_EQ(Present(), Pages{kHoles - 100});
}

TEST_P(SavePreArmTest, ANewMappingInThePlaceOfOneIsArmedInThePause) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kMapOver, 200, 100);
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{kHoles - 99});
}

TEST_P(SavePreArmTest, ANewMappingInThePlaceOfAllIsArmedInThePause) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kMapOver, 0, kPages);
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{1});
}

TEST_P(SavePreArmTest, PagesThatMoveAreFoundWhereTheyAre) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kMove, 100, 50, puppet_.Page(1600));
  Do(Order::kWrite, 1610, 1);
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{kHoles});
}

TEST_P(SavePreArmTest, PagesThatMoveOverOthersAreFoundWhereTheyAre) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kWrite, 120, 1);
  Do(Order::kMove, 100, 50, puppet_.Page(1000));
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{kHoles - 50});
}

TEST_P(SavePreArmTest, ProtectionThatChangesMeanwhileTakesNothingAway) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kReadOnly, 300, 64);
  Do(Order::kWrite, 20, 1);
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmTest, AWriteThatWaitsInThePauseIsHeld) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Pause();
  puppet_.Tell(Order::kWrite, 5, 1);
  for (int i = 0; i < 50; ++i) Track();
  EXPECT_FALSE(puppet_.Done());
  ExpectExact();
  tracker_->SetMode(FaultTracker::Mode::kServing);
  while (!puppet_.Done()) Track();
  EXPECT_TRUE(tracked_->ledger.proven.Test(tracked_->map.AtAddress(puppet_.Page(5))->pages.first));
}

TEST_P(SavePreArmTest, APageThatCameByNoKnownWayIsLostAndNotAHole) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kGuard, kHoles, 2);  // which takes the marks of holes, and tells nobody
  Do(Order::kUnguard, kHoles, 2);
  Do(Order::kWrite, kHoles, 1);
  Pause();
  tracker_->SetMode(FaultTracker::Mode::kServing);
  Do(Order::kWrite, kHoles + 9, 1);  // a hole that is written after the instant is none of these
  const Result<Pages> unseen = NoteUnseenPages(*target_, tracked_.get());
  ASSERT_TRUE(unseen);
  // Where holes aren't marked they were looked at in the pause; before 6.13 there are no guards.
  const PageIndex page = tracked_->map.AtAddress(puppet_.Page(kHoles))->pages.first;
  EXPECT_TRUE(tracked_->ledger.present.Test(page));
  EXPECT_LE(*unseen, Pages{1});
  EXPECT_FALSE(tracked_->ledger.proven.Test(page));
}

INSTANTIATE_TEST_SUITE_P(Holes, SavePreArmTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Marked" : "Looked"; });

}  // namespace
}  // namespace stillframe
