// Memory that is armed while mappings and pages of the target come and go: what of that is dealt
// with before the pause.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "kernel/pre_arm.h"
#include "save/unregistered_memory.h"

namespace stillframe {
namespace {

class SavePreArmChangesTest : public PreArmTest {};

TEST_P(SavePreArmChangesTest, WhatIsDiscardedIsAskedForBeforeThePause) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kDiscard, 100, 700);
  Do(Order::kWrite, 300, 20);
  EXPECT_EQ(Stale(), 700u);
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_EQ(Stale(), 0u);
  EXPECT_EQ(Opened(), 0u);
  EXPECT_EQ(awaited_, 1);
  EXPECT_EQ(Present(), Pages{kHoles - 700 + 20});
  Do(Order::kWrite, 301, 1);  // faults, as any page that is armed
  EXPECT_EQ(Opened(), 1u);
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{kHoles - 700 + 20});
}

TEST_P(SavePreArmChangesTest, WhatIsDiscardedWhileCallsAreAwaitedIsAskedForAfterTheNextWait) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  await_calls_ = [this]() -> Result<void> {
    EXPECT_EQ(Stale(), 0u) << "taken off the list before the wait, not after it";
    if (awaited_ == 1) Do(Order::kDiscard, 400, 50);
    return {};
  };
  Do(Order::kDiscard, 100, 310);
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_EQ(awaited_, 2);
  EXPECT_EQ(Stale(), 0u);
  EXPECT_EQ(Present(), Pages{kHoles - 350});
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmChangesTest, CallsThatDontEndAreAwaitedOnce) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  await_calls_ = []() -> Result<void> { return Fail(ErrorCode::kLimit, "too slow"); };
  Do(Order::kDiscard, 100, 700);
  ASSERT_TRUE(pre_arm_->Converge());
  Do(Order::kWrite, 10, 1);
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_EQ(awaited_, 1);
  EXPECT_EQ(Stale(), 700u);
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmChangesTest, AMappingInThePlaceOfAnotherIsLeftForTheNextStop) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kMapOver, 200, 100);
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_GT(Foreign(), 0u);
  EXPECT_LT(pre_arm_->summary().rounds, 5u) << "not tried for ever";
  EXPECT_GT(Unregistered(), Bytes{0});
  RegisterMore();
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_EQ(Foreign(), 0u);
  EXPECT_EQ(Unregistered(), Bytes{0});
  EXPECT_EQ(Present(), Pages{kHoles - 99});
  Do(Order::kWrite, 200, 1);
  EXPECT_EQ(Opened(), 1u);
  Pause();
  ExpectExact();
}

// Nothing is there when it is asked for anew, and nobody tells of what comes after.
TEST_P(SavePreArmChangesTest, WhatComesToThePlaceOfWhatWasUnmappedIsAskedForInThePause) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kUnmap, 200, 2);
  ASSERT_TRUE(pre_arm_->Again());
  EXPECT_EQ(Stale(), 0u);
  // All of its block is armed, and believed to be closed, for a page beside it.
  Do(Order::kDiscard, 204, 1);
  Do(Order::kWrite, 204, 1);
  ASSERT_TRUE(pre_arm_->Again());
  ASSERT_TRUE(pre_arm_->Converge());
  Do(Order::kMapOver, 200, 2);
  Do(Order::kWrite, 200, 2);
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmChangesTest, AMappingInThePlaceOfAllIsRegisteredAnew) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kMapOver, 0, kPages);
  Do(Order::kWrite, 0, 30);
  ASSERT_TRUE(pre_arm_->Converge());
  RegisterMore();
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_EQ(Foreign(), 0u);
  EXPECT_EQ(Present(), Pages{30});
  Do(Order::kWrite, 10, 1);
  EXPECT_EQ(Opened(), 1u);
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmChangesTest, AMappingThatCameLaterIsRegisteredInTheNextStop) {
  Do(Order::kUnmap, 200, 300);
  ReadPlan();
  BringUpToDate();
  StartPreArm();
  ASSERT_TRUE(pre_arm_->ArmAll());
  EXPECT_EQ(Unregistered(), Bytes{0});
  Do(Order::kMapOver, 200, 300);
  Do(Order::kWrite, 200, 30);
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_EQ(Unregistered(), ToBytes(Pages{30}));
  RegisterMore();
  EXPECT_EQ(Unregistered(), Bytes{0});
  ASSERT_TRUE(pre_arm_->Converge());
  EXPECT_EQ(Present(), Pages{kHoles - 270});
  Do(Order::kWrite, 210, 1);
  EXPECT_EQ(Opened(), 1u);
  Pause();
  ExpectExact();
}

TEST_P(SavePreArmChangesTest, AMappingThatCameAfterTheRoundsIsArmedInThePause) {
  Do(Order::kUnmap, 200, 300);
  ReadPlan();
  BringUpToDate();
  StartPreArm();
  ASSERT_TRUE(pre_arm_->ArmAll());
  ASSERT_TRUE(pre_arm_->Converge());
  Do(Order::kMapOver, 200, 300);
  Do(Order::kWrite, 200, 30);
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{kHoles - 270});
}

TEST_P(SavePreArmChangesTest, WhatWasNotKnownOfAMappingThatCameApartIsAskedForInItsParts) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  ASSERT_TRUE(pre_arm_->Converge());
  Do(Order::kUnmap, 1600, 50);  // holes
  Do(Order::kWrite, 1700, 3);
  Pause();
  ExpectExact();
  EXPECT_EQ(Present(), Pages{kHoles + 3});
}

TEST_P(SavePreArmChangesTest, WhatIsKnownOfPagesThatStayIsNotCopied) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  const PageIndex page = tracked_->map.AtAddress(puppet_.Page(1400))->pages.first;
  Do(Order::kUnmap, 200, 300);
  Pause();
  ASSERT_NE(early_, nullptr);
  EXPECT_EQ(early_->records, tracked_->records);
  EXPECT_EQ(tracked_->map.AtAddress(puppet_.Page(1400))->pages.first, page);
  ExpectExact();
}

TEST_P(SavePreArmChangesTest, WhatTheKernelRefusedIsNotPlannedToBeArmedAgain) {
  const auto mappings = target_->ReadMappings(false);
  ASSERT_TRUE(mappings);
  const auto text = std::ranges::find_if(*mappings, &Mapping::has_file);
  ASSERT_NE(text, mappings->end());
  std::vector<PlannedMapping> plan = {
      {.mapping = *text, .treatment = Treatment::kArm, .saved = text->range, .reason = {}}};
  ASSERT_TRUE(armed_->Register(&plan));
  EXPECT_EQ(plan[0].treatment, Treatment::kCopy);
  plan[0].treatment = Treatment::kArm;
  armed_->LeaveRefused(&plan);
  EXPECT_EQ(plan[0].treatment, Treatment::kCopy);
  // One that changed may be another one.
  plan[0].treatment = Treatment::kArm;
  plan[0].mapping.range.end = plan[0].mapping.range.end + kPageSize;
  armed_->LeaveRefused(&plan);
  EXPECT_EQ(plan[0].treatment, Treatment::kArm);
}

TEST_P(SavePreArmChangesTest, WhenPageNumbersRunOutWhatIsKnownIsCopied) {
  tracked_ = MakeMapped<TrackedMemory>(tracked_->regions);
  tracker_->SetMemory(tracked_.get());
  StartPreArm();
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kUnmap, 200, 300);
  ReadPlan();
  BringUpToDate();
  Do(Order::kMapOver, 200, 300);
  Do(Order::kWrite, 40, 3);
  const std::shared_ptr<PageRecords> before = tracked_->records;
  EXPECT_EQ(Opened(), 3u);
  Pause();
  EXPECT_NE(before, tracked_->records);
  EXPECT_EQ(Present(), Pages{kHoles - 299});
  ExpectExact();
}

INSTANTIATE_TEST_SUITE_P(Holes, SavePreArmChangesTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Marked" : "Looked"; });

}  // namespace
}  // namespace stillframe
