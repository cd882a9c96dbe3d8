// Memory that is armed while the target changes it: what is known of it in the pause, held against
// what the page map says then.
#include <gtest/gtest.h>

#include "kernel/pre_arm.h"
#include "save/presence_audit.h"

namespace stillframe {
namespace {

class SavePreArmTest : public PreArmTest {};

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

TEST_P(SavePreArmTest, AWriterInOrderKeepsItsPaceWhileAnotherMustWaitForAnEvent) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kWrite, 1000, 7);  // 1, 2 and 4 pages
  ASSERT_EQ(Opened(), 7u);
  puppet_.Tell(Order::kWriteAside, 10);
  while (!puppet_.Done()) {
  }
  while (channel_->PendingFaults() != 1u) {
  }
  tracker_->OnReadable();
  puppet_.Tell(Order::kDiscard, 20);
  // Until the discard is read nothing can be opened.
  while (channel_->IsCalm()) {
  }
  for (int i = 0; i < 40; ++i) tracker_->Step();
  EXPECT_EQ(Opened(), 7u);
  while (!puppet_.Done()) Track();
  Do(Order::kWrite, 1007);
  EXPECT_EQ(Opened(), 7u + 1u + 8u);
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
