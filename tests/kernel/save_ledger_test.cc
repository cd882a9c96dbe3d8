// What becomes of each page when the target changes its memory under the saver: the tracker and the
// scan are driven step by step, without threads, against a real process.
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "fault/fault_channel.h"
#include "fault/fault_log.h"
#include "kernel/puppet.h"
#include "region/rcu.h"
#include "save/armed_memory.h"
#include "save/linear_saver.h"
#include "save/save_account.h"
#include "stillframe/target.h"
#include "track/fault_tracker.h"
#include "track/stage.h"

namespace stillframe {
namespace {

// Takes what the scan hands on and remembers the first byte of each page, and what it was told of.
class FakeSink final : public PageSink {
 public:
  Result<void> Write(TargetAddress address, std::span<const std::byte> pages, PageSource) override {
    for (size_t i = 0; i < pages.size(); i += kPageSize.count) {
      EXPECT_FALSE(bytes.contains(address + Bytes{i})) << "a page came twice";
      bytes[address + Bytes{i}] = static_cast<char>(pages[i]);
    }
    return {};
  }
  Result<void> Zero(AddressRange range) override {
    zeros += range.pages();
    return {};
  }
  Result<void> Lost(AddressRange range, std::string_view reason) override {
    for (TargetAddress page = range.begin; page < range.end; page = page + kPageSize) {
      lost[page] = reason;
    }
    return {};
  }
  Result<void> Finish(const ImageMetadata&) override { return {}; }
  void Interrupt() override {}
  SinkCounters counters() const override { return {}; }

  std::map<TargetAddress, char> bytes;
  std::map<TargetAddress, std::string> lost;
  Pages zeros;
};

class SaveLedgerTest : public testing::Test {
 protected:
  static constexpr uint64_t kPages = 64;
  static constexpr uint64_t kHoles = 48;  // pages from here on are holes

  void SetUp() override {
    auto target = AttachProcess(puppet_.pid());
    ASSERT_TRUE(target) << target.error().message;
    target_ = std::move(*target);
    channel_.emplace(*FaultChannel::Connect(target_->userfaultfd()));
    tracker_ = MakeMapped<FaultTracker>(*channel_, *target_, *stage_, *log_, MonotonicClock(),
                                        FaultTracker::Options{});
    armed_.emplace(*target_, *channel_);
    // Only the puppet's own pages.
    Mapping mapping;
    mapping.range = puppet_.range();
    mapping.mergeable = mergeable_;
    plan_ = {
        {.mapping = mapping, .treatment = Treatment::kArm, .saved = mapping.range, .reason = {}}};
    ASSERT_TRUE(armed_->Register(&plan_));
    tracked_ = armed_->MakeTracked(plan_);
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kServing);
    const auto armed = armed_->Arm(plan_, tracked_.get());
    ASSERT_TRUE(armed) << armed.error().message;
    ASSERT_EQ(tracked_->ledger.present.CountSet(), Pages{kHoles});
  }

  void TearDown() override {
    tracker_->SetMode(FaultTracker::Mode::kOpening);
    if (armed_) armed_->Release(tracked_.get());
  }

  bool Readable() const {
    pollfd entry{.fd = channel_->descriptor(), .events = POLLIN, .revents = 0};
    return poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0;
  }
  void Track() {
    if (Readable()) tracker_->OnReadable();
    tracker_->Step();
  }
  // From now until StopTracker somebody else reads the events, as in a real save.
  void StartTracker() {
    tracker_thread_ = std::thread([this] {
      const RcuThread rcu;
      while (!stop_tracker_) Track();
    });
  }
  void StopTracker() {
    stop_tracker_ = true;
    tracker_thread_.join();
  }
  // Does one thing in the target, the tracker serving meanwhile.
  void Do(Puppet::Order order, uint64_t page, uint64_t pages = 1, TargetAddress to = {}) {
    puppet_.Tell(order, page, pages, to);
    while (!puppet_.Done()) Track();
    while (Readable()) Track();
    Track();
  }
  Result<void> Scan() {
    const auto policy = *MakeThrottlePolicy({.policy = "off"});
    auto saver = MakeMapped<LinearSaver>(LinearSaver::Parts{.target = *target_,
                                                            .channel = *channel_,
                                                            .memory = *tracked_,
                                                            .tracker = *tracker_,
                                                            .stage = *stage_,
                                                            .log = *log_,
                                                            .policy = *policy,
                                                            .sink = sink_,
                                                            .clock = MonotonicClock()});
    return saver->Run([this]() -> Result<void> {
      if (!others_track_) Track();
      Drain();
      return {};
    });
  }
  void Drain() {
    for (;;) {
      auto staged = stage_->NextFaulted();
      if (!staged) staged = stage_->NextScanned();
      if (!staged) return;
      ASSERT_TRUE(sink_.Write(tracked_->regions.AddressOf(staged->pages.first),
                              stage_->MemoryOf(*staged), staged->source));
      stage_->Release(*staged);
    }
  }
  // Ends the save and accounts for every page.
  void Finish() {
    ASSERT_TRUE(Scan());
    while (Readable()) Track();
    Track();
    Drain();
    lost_ = *AccountForRest(*tracked_, PausedCopies(), &sink_);
    EXPECT_EQ(sink_.bytes.size() + sink_.lost.size() + sink_.zeros.count, kPages);
  }
  // That each page but those of [from, from + pages) is in the sink with its first byte.
  void ExpectAllBut(uint64_t from, uint64_t pages) {
    for (uint64_t i = 0; i < kHoles; ++i) {
      if (i >= from && i < from + pages) continue;
      ASSERT_TRUE(sink_.bytes.contains(puppet_.Page(i))) << "page " << i;
      EXPECT_EQ(sink_.bytes[puppet_.Page(i)], static_cast<char>('a' + i % 26)) << "page " << i;
    }
  }
  void ExpectLost(uint64_t from, uint64_t pages, const std::string& reason) {
    EXPECT_EQ(sink_.lost.size(), pages);
    for (uint64_t i = from; i < from + pages; ++i)
      EXPECT_EQ(sink_.lost[puppet_.Page(i)], reason) << i;
  }

  const RcuThread rcu_;
  Puppet puppet_{kPages, kHoles};
  MappedPtr<Stage> stage_ = MakeMapped<Stage>(MiB(1));
  MappedPtr<FaultLog> log_ = MakeMapped<FaultLog>();
  FakeSink sink_;
  std::unique_ptr<Target> target_;
  std::optional<FaultChannel> channel_;
  std::optional<ArmedMemory> armed_;
  MappedPtr<FaultTracker> tracker_;
  std::vector<PlannedMapping> plan_;
  MappedPtr<TrackedMemory> tracked_;
  std::vector<RangeReason> lost_;
  std::thread tracker_thread_;
  std::atomic<bool> stop_tracker_ = false;
  bool others_track_ = false;
  bool mergeable_ = false;
};

TEST_F(SaveLedgerTest, AQuietTargetIsSavedByTheScanAlone) {
  Finish();
  ExpectAllBut(0, 0);
  EXPECT_EQ(sink_.zeros, Pages{kPages - kHoles});
  EXPECT_EQ(log_->arrivals(), 0u);
}

TEST_F(SaveLedgerTest, AWrittenPageIsSavedAsItWasBeforeTheWrite) {
  Do(Puppet::Order::kWrite, 3, 5);
  EXPECT_EQ(log_->arrivals(), 5u);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{5});
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

// Turns KSM on for a while.
class KsmOn {
 public:
  KsmOn() {
    Set("sleep_millisecs", "1");
    Set("pages_to_scan", "5000");
    Set("run", "1");
  }
  ~KsmOn() {
    Set("run", run_);
    Set("pages_to_scan", pages_);
    Set("sleep_millisecs", sleep_);
  }

 private:
  static std::string Get(const std::string& name) {
    std::string value;
    std::ifstream("/sys/kernel/mm/ksm/" + name) >> value;
    return value;
  }
  static void Set(const std::string& name, const std::string& value) {
    std::ofstream("/sys/kernel/mm/ksm/" + name) << value;
  }
  const std::string run_ = Get("run");
  const std::string pages_ = Get("pages_to_scan");
  const std::string sleep_ = Get("sleep_millisecs");
};

class SaveLedgerKsmTest : public SaveLedgerTest {
 protected:
  SaveLedgerKsmTest() { mergeable_ = true; }
};

TEST_F(SaveLedgerKsmTest, PagesThatKsmMergedAreLostWithItsName) {
  if (!std::ifstream("/sys/kernel/mm/ksm/run")) GTEST_SKIP() << "this kernel has no KSM";
  // Pages 0, 26 hold the same bytes, and so do 1, 27 and so on.
  Do(Puppet::Order::kMergeable, 0, kHoles);
  const KsmOn ksm;
  // Of two equal pages one becomes the common one and keeps its mark; the other loses it.
  const auto unarmed = [this] {
    std::array<PagemapEntry, kHoles> entries;
    EXPECT_EQ(ReadPagemap(target_->pagemap(), puppet_.Page(0), entries), kHoles);
    return kHoles - static_cast<uint64_t>(std::count_if(entries.begin(), entries.end(), IsProven));
  };
  uint64_t before = 0;
  for (int i = 0; i < 20'000 && (before == 0 || unarmed() != before); ++i) {
    before = unarmed();
    usleep(10'000);
  }
  ASSERT_GT(before, 0u) << "KSM merged nothing";
  Finish();
  EXPECT_GE(sink_.lost.size(), before);
  for (const auto& [page, reason] : sink_.lost) EXPECT_EQ(reason, "ksm");
}

}  // namespace
}  // namespace stillframe
