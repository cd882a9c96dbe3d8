#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "track/spill.h"
#include "track/stage.h"

namespace stillframe {
namespace {

// A device in memory that does what a test wants of it.
class FakeSpillFile final : public SpillFile {
 public:
  struct State {
    std::map<uint64_t, std::vector<std::byte>> pages;  // by offset
    size_t writes = 0;
    Bytes end;         // of the largest write
    Bytes given_back;  // all together
    bool fails = false;
    bool lies = false;
    std::mutex mutex;
    std::condition_variable changed;
    bool stalls = false;
    bool stalled = false;
  };
  explicit FakeSpillFile(State& state) : state_(state) {}

  Result<void> Write(Bytes offset, std::span<const iovec> pages) override {
    std::unique_lock lock(state_.mutex);
    state_.stalled = state_.stalls;
    state_.changed.notify_all();
    state_.changed.wait(lock, [this] { return !state_.stalls; });
    if (state_.fails) return FailErrno(ENOSPC, "writing the fake");
    ++state_.writes;
    for (const iovec& page : pages) {
      const auto* begin = static_cast<const std::byte*>(page.iov_base);
      state_.pages[offset.count] = {begin, begin + page.iov_len};
      offset += kPageSize;
    }
    state_.end = std::max(state_.end, offset);
    return {};
  }
  Result<void> Read(Bytes offset, std::span<std::byte> to) override {
    const std::lock_guard lock(state_.mutex);
    if (state_.fails) return FailErrno(EIO, "reading the fake");
    for (size_t i = 0; i < to.size(); i += kPageSize.count) {
      const auto& page = state_.pages.at(offset.count + i);
      std::memcpy(to.data() + i, page.data(), page.size());
    }
    if (state_.lies) to[to.size() - 1] ^= std::byte{1};
    return {};
  }
  void GiveBack(Bytes offset, Bytes size) override {
    const std::lock_guard lock(state_.mutex);
    for (uint64_t i = 0; i < size.count; i += kPageSize.count) {
      EXPECT_EQ(state_.pages.erase(offset.count + i), 1u);
    }
    state_.given_back += size;
  }

 private:
  State& state_;
};

class SpillTest : public testing::Test {
 protected:
  static constexpr size_t kSlots = 128;

  Spill& MakeSpill(Bytes limit) {
    spill_ = MakeMapped<Spill>(*stage_, std::make_unique<FakeSpillFile>(device_), limit);
    return *spill_;
  }
  // A fault on each of the next pages, as the tracker handles it; false when there is no room.
  bool Fault(uint64_t pages = 1) {
    for (uint64_t i = 0; i < pages; ++i) {
      uint32_t slot = 0;
      if (!stage_->TakeFaultSlots({&slot, 1}, false)) return false;
      std::memset(stage_->FaultMemory(slot).data(), static_cast<int>(next_), kPageSize.count);
      stage_->PutFaulted(PageIndex{next_++}, slot);
    }
    return true;
  }
  // What is left in the stage, written.
  void DrainStage() {
    while (const auto staged = stage_->NextFaulted()) {
      Seen(staged->pages.first, stage_->MemoryOf(*staged));
      stage_->Release(*staged);
    }
  }
  void DrainSpill() {
    for (;;) {
      const auto page = spill_->Next();
      ASSERT_TRUE(page) << page.error().message;
      if (!*page) return;
      Seen((*page)->page, (*page)->memory);
    }
  }
  void Seen(PageIndex page, std::span<const std::byte> memory) {
    EXPECT_TRUE(seen_.emplace(page.value, true).second) << "page " << page.value << " came twice";
    for (const std::byte byte : memory) {
      ASSERT_EQ(byte, static_cast<std::byte>(page.value & 0xff)) << "page " << page.value;
    }
  }
  void SpillAll() {
    for (;;) {
      const auto moved = spill_->Step();
      ASSERT_TRUE(moved) << moved.error().message;
      if (!*moved) return;
    }
  }

  MappedPtr<Stage> stage_ = MakeMapped<Stage>(MiB(1));
  FakeSpillFile::State device_;
  MappedPtr<Spill> spill_;
  uint64_t next_ = 0;
  std::map<uint64_t, bool> seen_;
};

TEST_F(SpillTest, NothingMovesWhileTheStageIsHalfEmpty) {
  MakeSpill(MiB(16));
  ASSERT_EQ(stage_->FaultSlotsFree(), kSlots);
  ASSERT_TRUE(Fault(kSlots / 2));
  EXPECT_FALSE(*spill_->Step());
  EXPECT_EQ(spill_->spilled(), Bytes{0});
  EXPECT_FALSE(*spill_->Next());
}

TEST_F(SpillTest, FromHalfOnPagesMoveUntilThereIsRoomAgain) {
  MakeSpill(MiB(16));
  ASSERT_TRUE(Fault(kSlots));
  SpillAll();
  EXPECT_LE(stage_->used(), kPageSize * (kSlots / 2));
  EXPECT_EQ(stage_->used() + spill_->spilled(), kPageSize * kSlots);
  EXPECT_TRUE(Fault(kSlots / 2));
}

TEST_F(SpillTest, EachPageComesOutOnceWithItsOwnBytesWhicheverWayItWent) {
  MakeSpill(MiB(16));
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(Fault(60));
    SpillAll();
  }
  DrainStage();
  DrainSpill();
  EXPECT_EQ(seen_.size(), next_);
  EXPECT_TRUE(stage_->Empty());
  EXPECT_EQ(stage_->used(), Bytes{0});
}

TEST_F(SpillTest, PagesAreWrittenManyAtATime) {
  MakeSpill(MiB(16));
  ASSERT_TRUE(Fault(kSlots));
  SpillAll();
  EXPECT_LE(device_.writes, 2u);
}

TEST_F(SpillTest, WhatWaitsOutsideKeepsTheOutputAwake) {
  MakeSpill(MiB(16));
  ASSERT_TRUE(Fault(kSlots));
  SpillAll();
  DrainStage();
  EXPECT_FALSE(stage_->Empty());
  stage_->WaitForStaged(std::chrono::hours(1));
  DrainSpill();
  EXPECT_TRUE(stage_->Empty());
}

TEST_F(SpillTest, ItsThreadIsWokenWhenTheStageGetsCrowded) {
  MakeSpill(MiB(16));
  ASSERT_TRUE(Fault(kSlots / 2));
  std::thread waiting([this] {
    while (!*spill_->Step()) spill_->Wait(std::chrono::hours(1));
  });
  // Time for it to fall asleep. If it had none, it would find the page all the same.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(Fault(1));
  waiting.join();
  EXPECT_GT(spill_->spilled(), Bytes{0});
}

TEST_F(SpillTest, TheFileIsUsedInLapsAndNeverGrowsBeyondItsLimit) {
  const Bytes limit = kPageSize * 100;
  MakeSpill(limit);
  for (int round = 0; round < 30; ++round) {
    ASSERT_TRUE(Fault(kSlots - 40));
    SpillAll();
    // Some stay, so that laps end and begin in the middle of what is written and read.
    for (int i = 0; i < 31; ++i) {
      const auto page = spill_->Next();
      ASSERT_TRUE(page) << page.error().message;
      if (*page) Seen((*page)->page, (*page)->memory);
    }
    DrainStage();
    DrainSpill();
  }
  EXPECT_EQ(seen_.size(), next_);
  EXPECT_GT(spill_->spilled(), limit * 3);
  EXPECT_LE(device_.end, limit);
  EXPECT_TRUE(device_.pages.empty()) << "its space was not given back";
  EXPECT_EQ(device_.given_back, spill_->spilled());
}

TEST_F(SpillTest, AtItsLimitAFullStageIsFinalUntilPagesWereReadBack) {
  MakeSpill(kPageSize * 40);
  ASSERT_TRUE(Fault(kSlots));
  SpillAll();
  ASSERT_TRUE(Fault(40));
  EXPECT_FALSE(Fault());
  EXPECT_FALSE(*spill_->Step());
  EXPECT_EQ(spill_->spilled(), kPageSize * 40);
  EXPECT_TRUE(stage_->full_is_final());
  EXPECT_EQ(spill_->error(), nullptr);
  // Its thread has nothing to do until then.
  stage_->WaitUntilCrowded(Duration(0));

  DrainSpill();
  EXPECT_FALSE(stage_->full_is_final());
  EXPECT_TRUE(*spill_->Step());
  EXPECT_TRUE(Fault());
}

TEST_F(SpillTest, WhatWasReadBackIsUsedBeforeTheFileCountsAsFull) {
  constexpr uint64_t kLimit = 400;
  MakeSpill(kPageSize * kLimit);
  ASSERT_TRUE(Fault(kSlots));
  SpillAll();
  ASSERT_TRUE(Fault(kSlots / 2));
  SpillAll();
  const auto first = spill_->Next();
  ASSERT_TRUE(first && *first);
  Seen((*first)->page, (*first)->memory);
  EXPECT_EQ(device_.given_back, Bytes{0}) << "too few to be worth it";
  const Bytes read_back = kPageSize * Spill::kMostAtOnce;
  while (spill_->spilled() < kPageSize * kLimit + read_back) {
    while (Fault()) {
    }
    ASSERT_TRUE(*spill_->Step()) << spill_->spilled().count;
    ASSERT_FALSE(stage_->full_is_final());
  }
  EXPECT_EQ(device_.given_back, read_back);
  EXPECT_LE(device_.end, kPageSize * kLimit);
  while (Fault()) {
  }
  EXPECT_FALSE(*spill_->Step());
  EXPECT_TRUE(stage_->full_is_final());
  DrainStage();
  DrainSpill();
  EXPECT_EQ(seen_.size(), next_);
}

TEST_F(SpillTest, OfAFullFileTheFirstPagesReadBackAreGivenBackAtOnce) {
  constexpr uint64_t kLimit = 400;
  MakeSpill(kPageSize * kLimit);
  do {
    while (Fault()) {
    }
  } while (*spill_->Step());
  ASSERT_TRUE(stage_->full_is_final());
  const auto first = spill_->Next();
  ASSERT_TRUE(first && *first);
  Seen((*first)->page, (*first)->memory);
  EXPECT_EQ(device_.given_back, kPageSize * Spill::kMostAtOnce);
  EXPECT_FALSE(stage_->full_is_final());
  EXPECT_TRUE(*spill_->Step());
  DrainStage();
  DrainSpill();
  EXPECT_EQ(seen_.size(), next_);
}

TEST_F(SpillTest, AFileThatIsFilledAndReadBackAtOnceIsNotLeftFull) {
  MakeSpill(kPageSize * 64);
  std::atomic<bool> end = false;
  std::thread output([&] {
    while (!end) DrainSpill();
  });
  for (int i = 0; i < 500; ++i) {
    while (Fault()) {
    }
    EXPECT_TRUE(spill_->Step());
  }
  end = true;
  output.join();
  DrainSpill();
  DrainStage();
  EXPECT_EQ(seen_.size(), next_);
  EXPECT_FALSE(stage_->full_is_final());
}

TEST_F(SpillTest, AFileThatMayHoldNothingMakesAFullStageFinalAtOnce) {
  MakeSpill(Bytes{4095});
  EXPECT_TRUE(stage_->full_is_final());
  ASSERT_TRUE(Fault(kSlots));
  EXPECT_FALSE(*spill_->Step());
  EXPECT_FALSE(*spill_->Next());
}

TEST_F(SpillTest, WhatTheDeviceDoesNotTakeIsWrittenFromTheStage) {
  MakeSpill(MiB(16));
  ASSERT_TRUE(Fault(kSlots));
  EXPECT_TRUE(*spill_->Step());
  ASSERT_TRUE(Fault(40));
  device_.fails = true;
  const auto moved = spill_->Step();
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, ErrorCode::kOutput);
  EXPECT_FALSE(spill_->TakeBack()) << "the spill's thread still has them";
  spill_->Abandon(moved.error());
  EXPECT_TRUE(stage_->full_is_final());
  ASSERT_NE(spill_->error(), nullptr);
  EXPECT_EQ(spill_->error()->system_errno, ENOSPC);

  device_.fails = false;
  DrainStage();
  EXPECT_FALSE(stage_->Empty());
  while (const auto staged = spill_->TakeBack()) {
    Seen(staged->pages.first, stage_->MemoryOf(*staged));
    stage_->Release(*staged);
  }
  DrainSpill();
  EXPECT_EQ(seen_.size(), next_);
  EXPECT_TRUE(stage_->Empty());
  EXPECT_EQ(stage_->used(), Bytes{0});
  EXPECT_TRUE(stage_->full_is_final()) << "reading back must not hide the failure";
}

TEST_F(SpillTest, APageThatReadsOtherwiseThanItWasWrittenIsAnError) {
  MakeSpill(MiB(16));
  ASSERT_TRUE(Fault(kSlots));
  SpillAll();
  device_.lies = true;
  const auto page = spill_->Next();
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, ErrorCode::kOutput);
}

TEST_F(SpillTest, APageThatCantBeReadBackIsAnError) {
  MakeSpill(MiB(16));
  ASSERT_TRUE(Fault(kSlots));
  SpillAll();
  device_.fails = true;
  const auto page = spill_->Next();
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().system_errno, EIO);
}

TEST_F(SpillTest, ADeviceThatStandsStillHoldsUpNeitherFaultsNorTheOutput) {
  MakeSpill(MiB(16));
  ASSERT_TRUE(Fault(kSlots / 2 + 1));
  device_.stalls = true;
  std::thread spilling([this] { EXPECT_TRUE(*spill_->Step()); });
  {
    std::unique_lock lock(device_.mutex);
    device_.changed.wait(lock, [this] { return device_.stalled; });
  }
  // All slots but those that it holds.
  EXPECT_TRUE(Fault(kSlots / 2 - 1));
  EXPECT_FALSE(Fault());
  EXPECT_FALSE(stage_->full_is_final());
  DrainStage();
  EXPECT_TRUE(Fault());
  {
    const std::lock_guard lock(device_.mutex);
    device_.stalls = false;
  }
  device_.changed.notify_all();
  spilling.join();
  DrainStage();
  DrainSpill();
  EXPECT_EQ(seen_.size(), next_);
}

// The three at full speed, each in its own thread.
TEST_F(SpillTest, TrackerSpillAndOutputAtOnce) {
  constexpr uint64_t kPages = 5000;
  MakeSpill(kPageSize * 300);
  std::atomic<bool> stop = false;
  std::thread spilling([&] {
    while (!stop) {
      if (!*spill_->Step()) spill_->Wait(std::chrono::milliseconds(1));
    }
  });
  std::thread writing([&] {
    while (seen_.size() < kPages) {
      if (const auto staged = stage_->NextFaulted()) {
        Seen(staged->pages.first, stage_->MemoryOf(*staged));
        stage_->Release(*staged);
      } else if (const auto page = spill_->Next(); page && *page) {
        Seen((*page)->page, (*page)->memory);
      } else {
        ASSERT_TRUE(page) << page.error().message;
        stage_->WaitForStaged(std::chrono::milliseconds(1));
      }
    }
  });
  while (next_ < kPages) {
    if (Fault()) continue;
    stage_->AskForFaultRoom();
    stage_->fault_room().Wait(std::chrono::milliseconds(1));
  }
  writing.join();
  stop = true;
  stage_->WakeAll();
  spilling.join();
  EXPECT_EQ(seen_.size(), kPages);
  EXPECT_TRUE(stage_->Empty());
  EXPECT_EQ(stage_->used(), Bytes{0});
}

}  // namespace
}  // namespace stillframe
