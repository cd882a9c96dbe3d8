#include "save/output_pump.h"

#include <gtest/gtest.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mapped_memory.h"
#include "track/spill_file.h"

namespace stillframe {
namespace {

struct Written {
  uint64_t address;
  uint64_t pages;
  bool operator==(const Written&) const = default;
};

// Notes what was written, and checks that each page holds the low byte of its own number.
class NotingSink final : public PageSink {
 public:
  Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                     PageSource source) override {
    EXPECT_EQ(source, PageSource::kFaulted);
    writes_.push_back({address.value, pages.size() / kPageSize.count});
    for (size_t at = 0; at < pages.size(); at += kPageSize.count) {
      EXPECT_EQ(pages[at], static_cast<std::byte>((address.value + at) / kPageSize.count & 0xff));
    }
    return {};
  }
  Result<void> Zero(AddressRange) override { return {}; }
  Result<void> Lost(AddressRange, std::string_view) override { return {}; }
  Result<void> Finish(const ImageMetadata&) override { return {}; }
  void Interrupt() override {}
  SinkCounters counters() const override { return {}; }

  const std::vector<Written>& writes() const { return writes_; }

 private:
  std::vector<Written> writes_;
};

class MemorySpillFile final : public SpillFile {
 public:
  Result<void> Write(Bytes offset, std::span<const iovec> pages) override {
    for (const iovec& part : pages) {
      const auto* begin = static_cast<const std::byte*>(part.iov_base);
      std::copy(begin, begin + part.iov_len,
                bytes_.begin() + static_cast<std::ptrdiff_t>(offset.count));
      offset += Bytes{part.iov_len};
    }
    return {};
  }
  Result<void> Read(Bytes offset, std::span<std::byte> to) override {
    std::memcpy(to.data(), bytes_.data() + offset.count, to.size());
    return {};
  }
  void GiveBack(Bytes, Bytes) override {}

 private:
  std::vector<std::byte> bytes_ = std::vector<std::byte>(MiB(2).count);
};

// Pages 0 to 99 stand at 0x100000, and 100 to 199 right behind them; 200 to 299 stand elsewhere.
class OutputPumpTest : public testing::Test {
 protected:
  static Region At(uint64_t address) {
    Region region;
    region.range = {{address}, {address + 100 * kPageSize.count}};
    region.mapping = region.range;
    return region;
  }

  void PutFaulted(std::vector<uint64_t> pages) {
    std::vector<uint32_t> slots(pages.size());
    ASSERT_TRUE(stage_->TakeFaultSlots(slots, false));
    for (size_t i = 0; i < pages.size(); ++i) {
      const uint64_t number = regions_.AddressOf(PageIndex{pages[i]}).value / kPageSize.count;
      std::memset(stage_->FaultMemory(slots[i]).data(), static_cast<int>(number & 0xff),
                  kPageSize.count);
      stage_->PutFaulted(PageIndex{pages[i]}, slots[i]);
    }
  }
  // What the output does with all that waits.
  std::vector<Written> WriteAll(Pages longest_run = OutputPump::kLongestRun) {
    OutputPacer pacer(Bytes{0}, MonotonicClock());
    OutputPump pump(regions_, *stage_, spill_.get(), copies_, sink_, pacer, longest_run);
    pump.Start(0);
    EXPECT_TRUE(pump.Finish());
    EXPECT_EQ(stage_->FaultSlotsFree(), stage_->FaultSlots());
    EXPECT_TRUE(stage_->Empty());
    return sink_.writes();
  }

  const RegionSet regions_{std::vector<Region>{At(0x100000), At(0x164000), At(0x900000)}};
  MappedPtr<Stage> stage_ = MakeMapped<Stage>(MiB(1));
  MappedPtr<Spill> spill_;
  PausedCopies copies_;
  NotingSink sink_;
};

TEST_F(OutputPumpTest, PagesThatFollowOneAnotherAreOneWrite) {
  PutFaulted({10, 11, 12, 13});
  EXPECT_EQ(WriteAll(), (std::vector<Written>{{0x10a000, 4}}));
}

TEST_F(OutputPumpTest, AGapAStepBackAndTheEndOfAMappingEndAWrite) {
  PutFaulted({10, 12, 13, 5, 6, 199, 200});
  EXPECT_EQ(WriteAll(),
            (std::vector<Written>{
                {0x10a000, 1}, {0x10c000, 2}, {0x105000, 2}, {0x1c7000, 1}, {0x900000, 1}}));
}

TEST_F(OutputPumpTest, MappingsThatTouchAreOneWrite) {
  PutFaulted({98, 99, 100, 101});
  EXPECT_EQ(WriteAll(), (std::vector<Written>{{0x162000, 4}}));
}

TEST_F(OutputPumpTest, PagesThatLieApartInTheStageAreWritesOfTheirOwn) {
  PutFaulted({50});
  PutFaulted({10});
  PutFaulted({51});
  EXPECT_EQ(WriteAll(), (std::vector<Written>{{0x132000, 1}, {0x10a000, 1}, {0x133000, 1}}));
}

TEST_F(OutputPumpTest, NoWriteIsLongerThanARun) {
  std::vector<uint64_t> pages(100);
  for (uint64_t i = 0; i < pages.size(); ++i) pages[i] = i;
  PutFaulted(pages);
  EXPECT_EQ(WriteAll(), (std::vector<Written>{{0x100000, 64}, {0x140000, 36}}));
}

TEST_F(OutputPumpTest, WhereEachSlotIsNeededRunsAreShort) {
  PutFaulted({10, 11, 12, 13, 14});
  EXPECT_EQ(WriteAll(Pages{2}),
            (std::vector<Written>{{0x10a000, 2}, {0x10c000, 2}, {0x10e000, 1}}));
}

TEST_F(OutputPumpTest, WhatWasSpilledIsWrittenInRunsToo) {
  spill_ = MakeMapped<Spill>(*stage_, std::make_unique<MemorySpillFile>(), MiB(1));
  std::vector<uint64_t> pages;
  for (uint64_t i = 60; i < 140; ++i) pages.push_back(i);
  for (uint64_t i = 195; i < 205; ++i) pages.push_back(i);
  PutFaulted(pages);
  while (true) {
    const auto moved = spill_->Step();
    ASSERT_TRUE(moved);
    if (!*moved) break;
  }
  ASSERT_GT(spill_->spilled(), Bytes{0});
  const std::vector<Written> written = WriteAll();
  std::set<uint64_t> seen;
  for (const Written& write : written) {
    for (uint64_t i = 0; i < write.pages; ++i) {
      EXPECT_TRUE(seen.insert(write.address + i * kPageSize.count).second);
    }
  }
  std::set<uint64_t> wanted;
  for (const uint64_t page : pages) wanted.insert(regions_.AddressOf(PageIndex{page}).value);
  EXPECT_EQ(seen, wanted);
  EXPECT_LT(written.size(), 10u);
}

}  // namespace
}  // namespace stillframe
