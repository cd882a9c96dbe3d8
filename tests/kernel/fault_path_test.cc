// Between reading a fault and opening its page the tracker allocates nothing: when one's own heap
// is being saved, malloc itself may be waiting for that page. The guard counts every allocation of
// the thread that it is on for.
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "base/clock.h"
#include "fault/fault_channel.h"
#include "fault/fault_log.h"
#include "kernel/puppet.h"
#include "region/rcu.h"
#include "save/armed_memory.h"
#include "stillframe/target.h"
#include "track/fault_tracker.h"
#include "track/stage.h"

namespace {

thread_local bool guarded = false;
std::atomic<uint64_t> forbidden_allocations = 0;

void* Allocate(size_t size) {
  if (guarded) ++forbidden_allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace stillframe {
namespace {

class FaultPathTest : public testing::Test {
 protected:
  static constexpr uint64_t kPages = 4096;

  void SetUp() override {
    auto target = AttachProcess(puppet_.pid());
    ASSERT_TRUE(target) << target.error().message;
    target_ = std::move(*target);
    channel_.emplace(*FaultChannel::Connect(target_->userfaultfd()));
    tracker_ = MakeMapped<FaultTracker>(*channel_, *target_, *stage_, *log_, MonotonicClock(),
                                        FaultTracker::Options{});
    armed_.emplace(*target_, *channel_);
    Mapping mapping;
    mapping.range = puppet_.range();
    plan_ = {
        {.mapping = mapping, .treatment = Treatment::kArm, .saved = mapping.range, .reason = {}}};
    ASSERT_TRUE(armed_->Register(&plan_));
    tracked_ = armed_->MakeTracked(plan_);
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kServing);
    ASSERT_TRUE(armed_->Arm(plan_, tracked_.get()));
  }
  void TearDown() override {
    tracker_->SetMode(FaultTracker::Mode::kOpening);
    if (armed_) armed_->Release(tracked_.get());
  }
  // Serves until the puppet is done, guarded.
  void ServeGuarded() {
    std::thread tracker([this] {
      const RcuThread rcu;
      guarded = true;
      while (!puppet_.Done()) {
        pollfd entry{.fd = channel_->descriptor(), .events = POLLIN, .revents = 0};
        if (poll(&entry, 1, 1) == 1) tracker_->OnReadable();
        tracker_->Step();
        // The output, which may allocate, is somebody else's.
        while (const auto staged = stage_->NextFaulted()) stage_->Release(*staged);
        for (const FaultSeen& fault : log_->Collect(MonotonicClock().Now()))
          static_cast<void>(fault);
      }
      guarded = false;
    });
    tracker.join();
  }

  Puppet puppet_{kPages, kPages};
  MappedPtr<Stage> stage_ = MakeMapped<Stage>(MiB(64));
  MappedPtr<FaultLog> log_ = MakeMapped<FaultLog>();
  std::unique_ptr<Target> target_;
  std::optional<FaultChannel> channel_;
  std::optional<ArmedMemory> armed_;
  MappedPtr<FaultTracker> tracker_;
  std::vector<PlannedMapping> plan_;
  MappedPtr<TrackedMemory> tracked_;
};

TEST_F(FaultPathTest, TheGuardSeesAnAllocation) {
  const uint64_t before = forbidden_allocations;
  guarded = true;
  std::free(std::malloc(1));
  delete new int(1);
  guarded = false;
  EXPECT_EQ(forbidden_allocations, before + 1);
}

TEST_F(FaultPathTest, ServingFaultsAllocatesNothing) {
  const uint64_t before = forbidden_allocations;
  puppet_.Tell(Puppet::Order::kWrite, 0, kPages);
  ServeGuarded();
  EXPECT_EQ(forbidden_allocations, before);
  EXPECT_EQ(tracked_->ledger.proven.CountSet(), Pages{kPages});
}

TEST_F(FaultPathTest, NorDoesADiscardOrAMove) {
  const uint64_t before = forbidden_allocations;
  puppet_.Tell(Puppet::Order::kDiscard, 0, 1000);
  ServeGuarded();
  puppet_.Tell(Puppet::Order::kMove, 2000, 10, puppet_.Page(1000));
  ServeGuarded();
  EXPECT_EQ(tracked_->map.moves(), 1u);
  EXPECT_EQ(forbidden_allocations, before);
}

}  // namespace
}  // namespace stillframe
