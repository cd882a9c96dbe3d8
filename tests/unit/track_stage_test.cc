#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "track/move_journal.h"
#include "track/stage.h"

namespace stillframe {
namespace {

PageRun Pages1(uint64_t first, uint64_t count = 1) { return {PageIndex{first}, Pages{count}}; }

TEST(StageTest, HalfOfItIsTheScansAndHalfTheFaults) {
  Stage stage(MiB(1));
  EXPECT_EQ(stage.FaultSlotsFree(), 128u);
  EXPECT_EQ(ToBytes(stage.run_pages()) * stage.run_buffers(), KiB(512));
  EXPECT_GE(stage.run_buffers(), 4u);
  Stage large(MiB(64));
  EXPECT_EQ(ToBytes(large.run_pages()), Stage::kLargestRun);
}

TEST(StageTest, OfALargeOneTheScanHasWhatACacheKeepsAndTheFaultsHaveTheRest) {
  Stage large(MiB(64));
  EXPECT_EQ(ToBytes(large.run_pages()) * large.run_buffers(), Stage::kLargestScanShare);
  EXPECT_EQ(large.FaultSlotsFree(), ToPages(MiB(64) - Stage::kLargestScanShare).count);
}

TEST(StageTest, TheScanCantTakeWhatIsKeptForFaults) {
  Stage stage(MiB(1));
  uint32_t buffer = 0;
  size_t taken = 0;
  while (stage.TakeRuns({&buffer, 1})) ++taken;
  EXPECT_EQ(taken, stage.run_buffers());
  EXPECT_EQ(stage.used(), KiB(512));
  uint32_t slot = 0;
  EXPECT_TRUE(stage.TakeFaultSlots({&slot, 1}, false));
}

TEST(StageTest, SlotsThatAreTakenTogetherRiseAlsoWhenTheyWereUsedBefore) {
  Stage stage(MiB(1));
  std::array<uint32_t, 128> slots{};
  for (int lap = 0; lap < 3; ++lap) {
    ASSERT_TRUE(stage.TakeFaultSlots(slots, false));
    for (size_t i = 0; i < slots.size(); ++i) {
      EXPECT_EQ(stage.FaultMemory(slots[i]).data(),
                stage.FaultMemory(slots[0]).data() + i * kPageSize.count);
      stage.PutFaulted(PageIndex{i}, slots[i]);
    }
    while (const auto staged = stage.NextFaulted()) stage.Release(*staged);
  }
}

TEST(StageTest, FaultedPagesComeOutApartFromScannedOnes) {
  Stage stage(MiB(1));
  uint32_t buffer = 0;
  uint32_t slot = 0;
  ASSERT_TRUE(stage.TakeRuns({&buffer, 1}));
  ASSERT_TRUE(stage.TakeFaultSlots({&slot, 1}, false));
  std::memset(stage.FaultMemory(slot).data(), 7, kPageSize.count);
  stage.PutScanned(Pages1(100, 3), buffer, 2, false);
  stage.PutScanned(Pages1(110, 1), buffer, 12, true);
  stage.PutFaulted(PageIndex{5}, slot);

  const auto faulted = stage.NextFaulted();
  ASSERT_TRUE(faulted);
  EXPECT_EQ(faulted->pages, Pages1(5));
  EXPECT_EQ(stage.MemoryOf(*faulted)[17], std::byte{7});
  const auto first = stage.NextScanned();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->pages, Pages1(100, 3));
  EXPECT_EQ(stage.MemoryOf(*first).data(), stage.RunMemory(buffer).data() + 2 * kPageSize.count);
  stage.Release(*first);  // the buffer is still in use
  EXPECT_EQ(stage.used(), kPageSize + ToBytes(stage.run_pages()));
  stage.Release(*stage.NextScanned());
  stage.Release(*faulted);
  EXPECT_EQ(stage.used(), Bytes{0});
  EXPECT_EQ(stage.peak(), kPageSize + ToBytes(stage.run_pages()));
}

TEST(StageTest, AFullReserveTakesNothingUntilASlotIsReleased) {
  Stage stage(MiB(1));
  std::vector<uint32_t> slots(stage.FaultSlotsFree());
  ASSERT_TRUE(stage.TakeFaultSlots(slots, false));
  uint32_t slot = 0;
  EXPECT_FALSE(stage.TakeFaultSlots({&slot, 1}, false));
  stage.PutFaulted(PageIndex{1}, slots[0]);
  stage.Release(*stage.NextFaulted());
  EXPECT_TRUE(stage.TakeFaultSlots({&slot, 1}, false));
  EXPECT_EQ(slot, slots[0]);
}

TEST(StageTest, ATrackerThatAskedForRoomIsTold) {
  Stage stage(MiB(1));
  uint32_t slot = 0;
  ASSERT_TRUE(stage.TakeFaultSlots({&slot, 1}, false));
  stage.AskForFaultRoom();
  stage.PutFaulted(PageIndex{1}, slot);
  stage.Release(*stage.NextFaulted());
  EXPECT_TRUE(stage.fault_room().Wait(Duration(0)));
}

TEST(StageTest, SlotsKeptForOurOwnThreadsAreNotGivenToTheTarget) {
  Stage stage(MiB(1), 32);
  uint32_t slot = 0;
  size_t taken = 0;
  while (stage.TakeFaultSlots({&slot, 1}, false)) ++taken;
  EXPECT_EQ(taken, 96u);
  EXPECT_TRUE(stage.TakeFaultSlots({&slot, 1}, true));
}

TEST(MoveJournalTest, AMoveToTheRangeSinceThenIsFound) {
  MoveJournal journal;
  journal.Note({{0x1000}, {0x3000}});
  const uint64_t then = journal.Now();
  EXPECT_FALSE(journal.MovedInto({{0x1000}, {0x2000}}, then));
  journal.Note({{0x8000}, {0x9000}});
  EXPECT_FALSE(journal.MovedInto({{0x1000}, {0x2000}}, then));
  journal.Note({{0x1000}, {0x2000}});
  EXPECT_TRUE(journal.MovedInto({{0x1000}, {0x5000}}, then));
  EXPECT_FALSE(journal.MovedInto({{0x2000}, {0x5000}}, then));
}

TEST(MoveJournalTest, TooManyMovesToRememberCountAsOneToEverywhere) {
  MoveJournal journal;
  const uint64_t then = journal.Now();
  for (int i = 0; i < 300; ++i) journal.Note({{0x8000}, {0x9000}});
  EXPECT_TRUE(journal.MovedInto({{0x1000}, {0x2000}}, then));
}

}  // namespace
}  // namespace stillframe
