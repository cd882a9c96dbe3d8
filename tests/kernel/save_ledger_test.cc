// What becomes of each page when the target changes its memory under the saver.
#include "kernel/save_ledger.h"

#include <unistd.h>

#include <thread>
#include <vector>

namespace stillframe {
namespace {

TEST_F(SaveLedgerTest, AQuietTargetIsSavedByTheScanAlone) {
  Finish();
  ExpectAllBut(0, 0);
  EXPECT_EQ(sink_.zeros, Pages{kPages - kHoles});
  EXPECT_EQ(log_->arrivals(), 0u);
}

TEST_F(SaveLedgerTest, AWrittenPageIsSavedAsItWasBeforeTheWrite) {
  for (const uint64_t page : {40u, 30u, 20u, 10u, 3u}) Do(Puppet::Order::kWrite, page);
  EXPECT_EQ(log_->arrivals(), 5u);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{5});
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(SaveLedgerTest, PagesThatAreWrittenInOrderAreSavedAheadOfTheWrites) {
  Do(Puppet::Order::kWrite, 3, 15);
  // 1, 2, 4, 8 pages, each as it was.
  EXPECT_EQ(log_->arrivals(), 4u);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{15});
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(SaveLedgerTest, WhatIsSavedAheadEndsWhereTheMemoryOfTheInstantDoes) {
  Do(Puppet::Order::kWrite, kHoles - 10, 20);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{10});
  Finish();
  ExpectAllBut(0, 0);
  EXPECT_EQ(sink_.zeros, Pages{kPages - kHoles});
}

// Pushes nothing, and would poll for an hour.
class NeverPolicy final : public ThrottlePolicy {
 public:
  std::string_view name() const override { return "never"; }
  void Observe(const ThrottleSample&) override {}
  ThrottleDecision Decide(const ThrottleSample&) override {
    return {.push = Pages{0}, .poll = std::chrono::hours(1)};
  }
  ThrottleCounters counters() const override { return {}; }
};

TEST_F(SaveLedgerTest, AScanThatIsHeldBackEndsOnceTheLastPageWasWritten) {
  puppet_.Tell(Puppet::Order::kWrite, 0, kHoles);
  NeverPolicy never;
  ASSERT_TRUE(Scan(never));
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{kHoles});
  while (!puppet_.Done()) Track();
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(SaveLedgerTest, AHoleThatIsWrittenAfterTheInstantWasZeroAtIt) {
  Do(Puppet::Order::kWrite, kHoles, 4);
  EXPECT_EQ(log_->arrivals(), 0u);
  Finish();
  ExpectAllBut(0, 0);
  EXPECT_EQ(sink_.zeros, Pages{kPages - kHoles});
}

TEST_F(SaveLedgerTest, PagesAboutToBeDiscardedAreSavedAhead) {
  Do(Puppet::Order::kDiscard, 10, 6);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{6});
  Finish();
  ExpectAllBut(0, 0);
  EXPECT_TRUE(sink_.lost.empty());
}

TEST_F(SaveLedgerTest, PagesDiscardedAndWrittenAnewAreSavedAsTheyWere) {
  Do(Puppet::Order::kDiscard, 10, 6);
  Do(Puppet::Order::kWrite, 10, 6);
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(SaveLedgerTest, ADiscardLargerThanTheReserveLosesTheRestAndSaysSo) {
  // Leaves so few slots that half of them hold two pages.
  std::vector<uint32_t> slots(stage_->FaultSlotsFree() - 4);
  ASSERT_TRUE(stage_->TakeFaultSlots(slots, false));
  Do(Puppet::Order::kDiscard, 10, 6);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{2});
  Finish();
  ExpectAllBut(12, 4);
  ExpectLost(12, 4, "discarded");
  stage_->PutBackFaultSlots(slots);
}

TEST_F(SaveLedgerTest, FreedPagesAreSavedAhead) {
  Do(Puppet::Order::kFree, 10, 6);
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(SaveLedgerTest, UnmappedPagesAreLostAndNamed) {
  Do(Puppet::Order::kUnmap, 20, 3);
  EXPECT_EQ(tracker_->unmaps(), 1u);
  Finish();
  ExpectAllBut(20, 3);
  ExpectLost(20, 3, "unmapped");
  ASSERT_EQ(lost_.size(), 1u);
  EXPECT_EQ(lost_[0].range, (AddressRange{puppet_.Page(20), puppet_.Page(23)}));
}

TEST_F(SaveLedgerTest, PagesUnmappedBeforeTheyAreCopiedButNotYetToldAreNotTakenForOthers) {
  // The event stays unread: the pages are gone all the same.
  puppet_.Tell(Puppet::Order::kUnmap, 20, 3);
  while (!Readable()) {
  }
  others_track_ = true;
  std::thread late([this] {
    usleep(20'000);
    StartTracker();
  });
  ASSERT_TRUE(Scan());
  late.join();
  StopTracker();
  others_track_ = false;
  Finish();
  ExpectAllBut(20, 3);
  ExpectLost(20, 3, "unmapped");
}

TEST_F(SaveLedgerTest, MovedPagesAreFollowed) {
  const TargetAddress free_place{puppet_.Page(kPages).value + (uint64_t{1} << 30)};
  Do(Puppet::Order::kMove, 30, 8, free_place);
  ASSERT_EQ(puppet_.moved_to(), free_place);
  EXPECT_EQ(tracked_->map.moves(), 1u);
  Finish();
  ExpectAllBut(0, 0);
  EXPECT_TRUE(sink_.lost.empty());
}

TEST_F(SaveLedgerTest, PagesMovedOverOthersAreSavedAndThoseAreLost) {
  Do(Puppet::Order::kMove, 30, 4, puppet_.Page(2));
  Finish();
  ExpectAllBut(2, 4);
  ExpectLost(2, 4, "unmapped");
}

TEST_F(SaveLedgerTest, AProtectedPageIsSavedLikeAnyOther) {
  Do(Puppet::Order::kReadOnly, 5, 10);
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(SaveLedgerTest, APageThatLostItsMarkIsLost) {
  // Opened behind the saver's back, as by a bug or a feature of the kernel nobody knows of.
  ASSERT_EQ(channel_->Open({puppet_.Page(7), puppet_.Page(8)}), OpenOutcome::kOpened);
  Finish();
  ExpectAllBut(7, 1);
  ExpectLost(7, 1, "unmarked");
}

TEST_F(SaveLedgerTest, ATargetThatIsGoneLosesEverythingUnsaved) {
  puppet_.Tell(Puppet::Order::kExit, 0);
  while (target_->IsAlive()) {
  }
  EXPECT_EQ(target_->CheckAlive().error().code, ErrorCode::kTargetGone);
  ASSERT_TRUE(Scan());
  Drain();
  EXPECT_TRUE(sink_.bytes.empty());
  EXPECT_EQ(tracked_->lost.load(), kHoles);
}

TEST_F(SaveLedgerTest, AnotherProgramInTheTargetsPlaceIsNotSaved) {
  puppet_.Tell(Puppet::Order::kExec, 0);
  while (target_->IsAlive()) {
  }
  EXPECT_EQ(target_->CheckAlive().error().code, ErrorCode::kTargetGone);
  ASSERT_TRUE(Scan());
  Drain();
  EXPECT_TRUE(sink_.bytes.empty());
}

TEST_F(SaveLedgerTest, AFullStageMakesAWriterWaitAndThenGiveUp) {
  std::vector<uint32_t> slots(stage_->FaultSlotsFree());
  ASSERT_TRUE(stage_->TakeFaultSlots(slots, false));
  tracker_ =
      MakeMapped<FaultTracker>(*channel_, *target_, *stage_, *log_, MonotonicClock(),
                               FaultTracker::Options{.max_stall = std::chrono::milliseconds(20)});
  tracker_->SetMemory(tracked_.get());
  tracker_->SetMode(FaultTracker::Mode::kServing);
  puppet_.Tell(Puppet::Order::kWrite, 3, 1);
  while (!puppet_.Done()) Track();
  EXPECT_TRUE(tracker_->gave_up());
  EXPECT_EQ(tracker_->stage_full(), 1u);
  EXPECT_FALSE(tracked_->ledger.proven.Test(PageIndex{3}));
}

TEST_F(SaveLedgerTest, WhileHoldingAWriterWaitsAndItsPageStaysAsItWas) {
  tracker_->SetMode(FaultTracker::Mode::kHolding);
  puppet_.Tell(Puppet::Order::kWrite, 3, 1);
  while (!Readable()) {
  }
  for (int i = 0; i < 100; ++i) Track();
  EXPECT_FALSE(puppet_.Done());
  EXPECT_FALSE(tracked_->ledger.claimed.Test(PageIndex{3}));
  tracker_->SetMode(FaultTracker::Mode::kServing);
  while (!puppet_.Done()) Track();
  Finish();
  ExpectAllBut(0, 0);
}

}  // namespace
}  // namespace stillframe
