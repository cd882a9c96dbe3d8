// What one fault, or several at once, open and wake.
#include <linux/userfaultfd.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "kernel/save_ledger.h"
#include "region/huge_page.h"
#include "sys/userfaultfd.h"

namespace stillframe {
namespace {

using Order = Puppet::Order;

class FaultServingTest : public SaveLedgerTest {
 protected:
  // Threads of the target's own that wait for these pages, their faults unread.
  void WritersWaitFor(std::initializer_list<uint64_t> pages) {
    size_t waiting = 0;
    for (const uint64_t page : pages) {
      puppet_.Tell(Order::kWriteAside, page);
      while (!puppet_.Done()) {
      }
      ++waiting;
      while (channel_->PendingFaults() != waiting) {
      }
    }
  }
  // What stands there in the target now.
  char ByteAt(uint64_t page) const {
    char byte = 0;
    const iovec to{.iov_base = &byte, .iov_len = 1};
    target_->Read(puppet_.Page(page), {&to, 1});
    return byte;
  }
  void ServeUntilWritten(std::initializer_list<uint64_t> pages) {
    for (const uint64_t page : pages) {
      while (ByteAt(page) != '!') Track();
    }
  }
  // One read of messages and one step, no more.
  void TrackOnce() {
    tracker_->OnReadable();
    tracker_->Step();
  }
};

TEST_F(FaultServingTest, WritersThatWaitAtOnceAreServedAndWokenAtOnce) {
  WritersWaitFor({40, 30, 20, 10, 3});
  TrackOnce();
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{5});
  while (ByteAt(3) != '!' || ByteAt(10) != '!' || ByteAt(20) != '!' || ByteAt(30) != '!' ||
         ByteAt(40) != '!') {
  }
  EXPECT_EQ(tracker_->waits().count(), 5u);
  Finish();
  EXPECT_EQ(log_->arrivals(), 5u);
  ExpectAllBut(0, 0);
}

TEST_F(FaultServingTest, AWriterThatIsToGoOnWaitingIsNotWokenWithThoseAroundIt) {
  // As if the scan were just copying it.
  ASSERT_TRUE(tracked_->ledger.claimed.TestAndSet(PageIndex{10}));
  WritersWaitFor({3, 10, 20});
  TrackOnce();
  while (ByteAt(3) != '!' || ByteAt(20) != '!') {
  }
  usleep(20'000);  // woken, it would fault again, and be counted twice
  Track();
  tracked_->ledger.claimed.Clear(PageIndex{10});
  ServeUntilWritten({10});
  EXPECT_EQ(log_->arrivals(), 3u);
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(FaultServingTest, WhoeverWasServedIsWokenThoughTheImageIsGivenUpForTheNext) {
  std::vector<uint32_t> slots(stage_->FaultSlotsFree() - 1);
  ASSERT_TRUE(stage_->TakeFaultSlots(slots, false));
  stage_->MakeFullFinal();
  WritersWaitFor({3, 20});
  TrackOnce();
  EXPECT_TRUE(tracker_->found_no_room());
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{1});
  ServeUntilWritten({3, 20});
  stage_->PutBackFaultSlots(slots);
}

TEST_F(FaultServingTest, ADiscardAmongFaultsIsSavedAhead) {
  for (uint64_t page = 40; page > 36; --page) Do(Order::kWrite, page);
  WritersWaitFor({30});
  puppet_.Tell(Order::kDiscard, 10, 6);
  while (channel_->IsCalm()) {
  }
  for (uint64_t page = 10; page < 16; ++page) EXPECT_NE(ByteAt(page), 0);
  while (!puppet_.Done()) Track();
  ServeUntilWritten({30});
  for (uint64_t page = 25; page > 20; --page) Do(Order::kWrite, page);
  Do(Order::kDiscard, 2, 3);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{4 + 1 + 6 + 5 + 3});
  Finish();
  ExpectAllBut(0, 0);
}

TEST_F(FaultServingTest, OfPagesThatAreOpenedTogetherOnlyWhatCantBeIsLost) {
  // One of them is registered no more, and armed all the same.
  ASSERT_TRUE(UffdRegisterMissing(target_->userfaultfd(), {puppet_.Page(8), puppet_.Page(9)}).ok());
  Do(Order::kWrite, 3, 7);  // 1, 2, and 4 pages
  EXPECT_EQ(tracked_->lost.load(), 1u);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{6});
  Finish();
  ExpectAllBut(8, 1);
  EXPECT_EQ(sink_.lost.size(), 1u);
}

// Stands still unless a test moves it.
class StillClock final : public Clock {
 public:
  TimePoint Now() const override {
    ++calls;
    if (at_call) at_call(calls);
    return time;
  }
  TimePoint time{std::chrono::hours(1)};
  mutable uint64_t calls = 0;
  std::function<void(uint64_t)> at_call;
};

TEST_F(FaultServingTest, ASlotThatComesFreeBeforeTheStageIsFinalIsTaken) {
  // Whenever in the course of one step that happens.
  for (uint64_t at = 1; at <= 8; ++at) {
    std::vector<uint32_t> slots(stage_->FaultSlotsFree());
    ASSERT_TRUE(stage_->TakeFaultSlots(slots, false));
    StillClock clock;
    tracker_ = MakeMapped<FaultTracker>(*channel_, *target_, *stage_, *log_, clock,
                                        FaultTracker::Options{});
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kServing);
    WritersWaitFor({at * 5});
    tracker_->OnReadable();
    clock.calls = 0;
    bool done = false;
    clock.at_call = [&](uint64_t call) {
      if (call != at || std::exchange(done, true)) return;
      stage_->PutBackFaultSlots(slots);
      stage_->SetSpillIsFull(true);
    };
    tracker_->Step();
    EXPECT_FALSE(tracker_->gave_up()) << "at look " << at << " at the clock";
    clock.at_call(at);  // if it has not looked so often
    ServeUntilWritten({at * 5});
    EXPECT_FALSE(tracker_->gave_up()) << "at look " << at << " at the clock";
    stage_->SetSpillIsFull(false);
    Drain();
  }
}

class HugePageTest : public testing::Test {
 protected:
  static constexpr uint64_t kPages = 3 * kHugePagePages.count;

  void SetUp() override {
    // Two huge pages, somewhere in it.
    const TargetAddress begin = puppet_.range().begin;
    first_ =
        ToPages(Bytes{(kHugePage.count - begin.value % kHugePage.count) % kHugePage.count}).count;
    Obey(Order::kHuge, first_, 2 * kHugePagePages.count);
    Obey(Order::kWrite, first_, 2 * kHugePagePages.count);
    auto target = AttachProcess(puppet_.pid());
    ASSERT_TRUE(target) << target.error().message;
    target_ = std::move(*target);
    channel_.emplace(*FaultChannel::Connect(target_->userfaultfd()));
    tracker_ = MakeMapped<FaultTracker>(*channel_, *target_, *stage_, *log_, clock_,
                                        FaultTracker::Options{});
    armed_.emplace(*target_, *channel_);
    Mapping mapping;
    mapping.range = {puppet_.Page(first_), puppet_.Page(first_ + 2 * kHugePagePages.count)};
    plan_ = {
        {.mapping = mapping, .treatment = Treatment::kArm, .saved = mapping.range, .reason = {}}};
    ASSERT_TRUE(armed_->Register(&plan_));
    tracked_ = armed_->MakeTracked(plan_);
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kServing);
    ASSERT_TRUE(armed_->Arm(plan_, tracked_.get()));
    if (tracked_->arming.huge.CountSet() != kHugePagePages * 2) {
      GTEST_SKIP() << "no transparent huge pages, or a kernel that doesn't tell";
    }
  }
  void TearDown() override {
    if (!armed_) return;
    tracker_->SetMode(FaultTracker::Mode::kOpening);
    armed_->Release(tracked_.get());
  }
  void Obey(Order order, uint64_t page, uint64_t pages) {
    puppet_.Tell(order, page, pages);
    while (!puppet_.Done()) {
    }
  }
  void Track() {
    pollfd entry{.fd = channel_->descriptor(), .events = POLLIN, .revents = 0};
    if (poll(&entry, 1, 0) == 1) tracker_->OnReadable();
    tracker_->Step();
  }
  // One slot less than a huge page needs.
  void LeaveTooLittleRoom() {
    slots_.resize(stage_->FaultSlotsFree() - kHugePagePages.count + 1);
    ASSERT_TRUE(stage_->TakeFaultSlots(slots_, false));
  }
  // Of a huge page, and its fault has been looked at.
  void WriteThatWaits() {
    puppet_.Tell(Order::kWrite, first_ + 7);
    while (channel_->PendingFaults() != 1u) {
    }
    Track();
  }
  Pages Proven() const { return tracked_->ledger.proven.CountSet(); }

  const RcuThread rcu_;
  Puppet puppet_{kPages, 0};
  uint64_t first_ = 0;
  StillClock clock_;
  MappedPtr<Stage> stage_ = MakeMapped<Stage>(MiB(8));
  MappedPtr<FaultLog> log_ = MakeMapped<FaultLog>();
  std::unique_ptr<Target> target_;
  std::optional<FaultChannel> channel_;
  std::optional<ArmedMemory> armed_;
  MappedPtr<FaultTracker> tracker_;
  std::vector<PlannedMapping> plan_;
  MappedPtr<TrackedMemory> tracked_;
  std::vector<uint32_t> slots_;
};

TEST_F(HugePageTest, IsCopiedAndOpenedWhole) {
  WriteThatWaits();
  while (!puppet_.Done()) Track();
  EXPECT_EQ(Proven(), kHugePagePages);
  EXPECT_EQ(log_->arrivals(), 1u);
}

TEST_F(HugePageTest, WaitsAMomentForRoomRatherThanBeSplit) {
  LeaveTooLittleRoom();
  WriteThatWaits();
  for (int i = 0; i < 50; ++i) Track();
  EXPECT_FALSE(puppet_.Done());
  EXPECT_EQ(Proven(), Pages{0});
  EXPECT_EQ(tracker_->stage_full(), 0u) << "there is room for its page";
  stage_->PutBackFaultSlots(slots_);
  while (!puppet_.Done()) Track();
  EXPECT_EQ(Proven(), kHugePagePages);
}

TEST_F(HugePageTest, IsToldWhenThereIsRoom) {
  LeaveTooLittleRoom();
  WriteThatWaits();
  // The output gives one back.
  stage_->PutFaulted(PageIndex{0}, slots_.back());
  slots_.pop_back();
  stage_->Release(*stage_->NextFaulted());
  EXPECT_TRUE(stage_->fault_room().Wait(std::chrono::hours(1)));
  Track();
  EXPECT_EQ(Proven(), kHugePagePages);
  while (!puppet_.Done()) Track();
}

TEST_F(HugePageTest, IsSplitOnceItHasWaitedLongEnough) {
  LeaveTooLittleRoom();
  WriteThatWaits();
  clock_.time += std::chrono::milliseconds(2);
  while (!puppet_.Done()) Track();
  EXPECT_EQ(Proven(), Pages{1});
  EXPECT_EQ(tracked_->arming.huge.CountSet(), kHugePagePages) << "the other one";
}

}  // namespace
}  // namespace stillframe
