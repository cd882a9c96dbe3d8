// What becomes of a fault that finds no room in the stage, and of everything else meanwhile.
#include <vector>

#include "kernel/save_ledger.h"

namespace stillframe {
namespace {

class FullStageTest : public SaveLedgerTest {
 protected:
  void SetUp() override {
    SaveLedgerTest::SetUp();
    slots_.resize(stage_->FaultSlotsFree());
    ASSERT_TRUE(stage_->TakeFaultSlots(slots_, false));
  }
  void TearDown() override {
    MakeRoom();
    SaveLedgerTest::TearDown();
  }
  void MakeRoom() {
    stage_->PutBackFaultSlots(slots_);
    slots_.clear();
  }
  // A thread of the target's own waits for room from now on.
  void WriteThatWaits(uint64_t page) {
    Do(Puppet::Order::kWriteAside, page);
    while (tracker_->stage_full() == 0) Track();
  }
  void UseMaxStall(Duration max_stall) {
    tracker_ = MakeMapped<FaultTracker>(*channel_, *target_, *stage_, *log_, MonotonicClock(),
                                        FaultTracker::Options{.max_stall = max_stall});
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kServing);
  }

  std::vector<uint32_t> slots_;
};

TEST_F(FullStageTest, EventsAreReadWhileAFaultWaitsForRoom) {
  UseMaxStall(std::chrono::hours(1));
  WriteThatWaits(3);
  // Each of these calls of the target waits until its event is read.
  const TargetAddress free_place{puppet_.Page(kPages).value + (uint64_t{1} << 30)};
  Do(Puppet::Order::kMove, 30, 8, free_place);
  EXPECT_EQ(puppet_.moved_to(), free_place);
  Do(Puppet::Order::kUnmap, 20, 3);
  Do(Puppet::Order::kDiscard, 10, 2);
  Do(Puppet::Order::kFree, 12, 2);
  EXPECT_FALSE(tracked_->ledger.settled.Test(PageIndex{3})) << "the fault waits no more";
  EXPECT_FALSE(tracker_->gave_up());

  MakeRoom();
  while (!tracked_->ledger.proven.Test(PageIndex{3})) Track();
  Finish();
  for (uint64_t i = 0; i < kHoles; ++i) {
    const bool discarded = i == 10 || i == 11;  // there was no room to save them ahead
    const bool unmapped = i >= 20 && i < 23;
    ASSERT_EQ(sink_.bytes.contains(puppet_.Page(i)), !discarded && !unmapped) << "page " << i;
    if (discarded) {
      EXPECT_EQ(sink_.lost[puppet_.Page(i)], "discarded") << i;
    }
    if (unmapped) {
      EXPECT_EQ(sink_.lost[puppet_.Page(i)], "unmapped") << i;
    }
  }
  EXPECT_EQ(sink_.bytes[puppet_.Page(3)], 'd');
}

TEST_F(FullStageTest, AFaultThatWaitedIsServedOnceThereIsRoom) {
  UseMaxStall(std::chrono::hours(1));
  WriteThatWaits(3);
  for (int i = 0; i < 100; ++i) Track();
  EXPECT_EQ(tracker_->stage_full(), 1u) << "one fault counts once";
  MakeRoom();
  while (!tracked_->ledger.proven.Test(PageIndex{3})) Track();
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(FullStageTest, WhereFullIsFinalTheImageIsGivenUpAtOnce) {
  UseMaxStall(std::chrono::hours(1));
  stage_->MakeFullFinal();
  puppet_.Tell(Puppet::Order::kWrite, 3, 1);
  while (!puppet_.Done()) Track();
  EXPECT_TRUE(tracker_->gave_up());
  EXPECT_TRUE(tracker_->found_no_room());
  EXPECT_FALSE(tracked_->ledger.proven.Test(PageIndex{3}));
}

TEST_F(FullStageTest, AStallThatIsTooLongIsToldFromAStageThatIsFinal) {
  UseMaxStall(std::chrono::milliseconds(20));
  puppet_.Tell(Puppet::Order::kWrite, 3, 1);
  while (!puppet_.Done()) Track();
  EXPECT_TRUE(tracker_->gave_up());
  EXPECT_FALSE(tracker_->found_no_room());
}

}  // namespace
}  // namespace stillframe
