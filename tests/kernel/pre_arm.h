// A child whose memory is armed while a test makes it change that, and what is known of it in the
// pause, held against what the page map says then.
#ifndef STILLFRAME_TESTS_KERNEL_PRE_ARM_H_
#define STILLFRAME_TESTS_KERNEL_PRE_ARM_H_

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <functional>
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
#include "save/unregistered_memory.h"
#include "stillframe/target.h"
#include "sys/pagemap.h"
#include "track/fault_tracker.h"
#include "track/stage.h"

namespace stillframe {

// Whether the holes between pages are marked, or looked at in the pause.
class PreArmTest : public testing::TestWithParam<bool> {
 protected:
  using Order = Puppet::Order;
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
    StartPreArm();
  }

  void StartPreArm() {
    pre_arm_.emplace(PreArm::Parts{.target = *target_,
                                   .channel = *channel_,
                                   .tracker = *tracker_,
                                   .memory = *tracked_,
                                   .clock = MonotonicClock(),
                                   .budget = Duration(0),
                                   .check = [] { return Result<void>(); },
                                   .await_calls =
                                       [this] {
                                         ++awaited_;
                                         return await_calls_();
                                       }});
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
    BringUpToDate();
    ASSERT_TRUE(armed_->Arm(plan_, tracked_.get()));
  }
  // What is done in a stop before it.
  void RegisterMore() {
    ReadPlan();
    ASSERT_TRUE(armed_->RegisterAnew(&plan_));
    BringUpToDate();
    pre_arm_->SetMemory(*tracked_);
  }
  void BringUpToDate() {
    auto now = armed_->BringUpToDate(plan_, tracked_);
    early_ = std::exchange(tracked_, std::move(now));
    tracker_->SetMemory(tracked_.get());
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
  uint64_t Stale() const { return tracked_->arming.stale.CountSet().count; }
  uint64_t Foreign() const { return tracked_->arming.foreign.CountSet().count; }
  Bytes Unregistered() {
    ReadPlan();
    const auto found = UnregisteredMemory(*target_, plan_, *tracked_, GiB(1));
    return found ? *found : GiB(1);
  }

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
  std::function<Result<void>()> await_calls_ = [this] { return target_->AwaitSystemCalls({}); };
  int awaited_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_KERNEL_PRE_ARM_H_
