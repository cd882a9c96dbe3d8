// A save driven step by step, without threads, against a real process: the tracker and the scan as
// a test calls them.
#ifndef STILLFRAME_TESTS_KERNEL_SAVE_LEDGER_H_
#define STILLFRAME_TESTS_KERNEL_SAVE_LEDGER_H_

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

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
  Result<void> Scan() { return Scan(**MakeThrottlePolicy({.policy = "off"})); }
  Result<void> Scan(ThrottlePolicy& policy) {
    auto saver = MakeMapped<LinearSaver>(LinearSaver::Parts{.target = *target_,
                                                            .channel = *channel_,
                                                            .memory = *tracked_,
                                                            .tracker = *tracker_,
                                                            .stage = *stage_,
                                                            .log = *log_,
                                                            .policy = policy,
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

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_KERNEL_SAVE_LEDGER_H_
