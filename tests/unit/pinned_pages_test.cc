// Pages that write protection does not guard are saved inside the pause, each once.
#include "save/pinned_pages.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/mapped_memory.h"

namespace stillframe {
namespace {

AddressRange Pages4K(uint64_t first, uint64_t count) {
  return {TargetAddress{first << 12}, TargetAddress{(first + count) << 12}};
}

// Pages 0x100-0x10f and 0x200-0x20f, all present but the two ends of the first.
class PinnedPagesTest : public testing::Test {
 protected:
  PinnedPagesTest() {
    std::vector<Region> regions;
    regions.push_back({.range = Pages4K(0x100, 16), .first = {}});
    regions.push_back({.range = Pages4K(0x200, 16), .first = {}});
    tracked_ = MakeMapped<TrackedMemory>(RegionSet(std::move(regions)));
    tracked_->ledger.present.SetRun({PageIndex{1}, Pages{14}});
    tracked_->ledger.present.SetRun({PageIndex{16}, Pages{16}});
  }

  PageLedger& ledger() { return tracked_->ledger; }

  MappedPtr<TrackedMemory> tracked_;
};

TEST_F(PinnedPagesTest, OnlyPagesThatExistAreTaken) {
  const std::vector<AddressRange> memory = {Pages4K(0xf0, 0x18)};
  const auto taken = SettlePinned(memory, tracked_.get());
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0], Pages4K(0x101, 7));
  EXPECT_EQ(ledger().claimed.CountSet(), Pages{7});
  EXPECT_EQ(ledger().proven.CountSet(), Pages{7});
  EXPECT_EQ(ledger().settled.CountSet(), Pages{7});
}

TEST_F(PinnedPagesTest, OneBufferMayReachThroughSeveralRegions) {
  const std::vector<AddressRange> memory = {Pages4K(0x10c, 0x100)};
  const auto taken = SettlePinned(memory, tracked_.get());
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0], Pages4K(0x10c, 3));
  EXPECT_EQ(taken[1], Pages4K(0x200, 12));
}

TEST_F(PinnedPagesTest, MemoryThatIsRegisteredTwiceIsTakenOnce) {
  const std::vector<AddressRange> memory = {Pages4K(0x202, 4), Pages4K(0x200, 8)};
  const auto taken = SettlePinned(memory, tracked_.get());
  ASSERT_EQ(taken.size(), 3u);
  EXPECT_EQ(taken[0], Pages4K(0x202, 4));
  EXPECT_EQ(taken[1], Pages4K(0x200, 2));
  EXPECT_EQ(taken[2], Pages4K(0x206, 2));
  EXPECT_EQ(ledger().claimed.CountSet(), Pages{8});
}

TEST_F(PinnedPagesTest, MemoryThatIsNotTrackedIsLeftAlone) {
  const std::vector<AddressRange> memory = {Pages4K(0x10, 4), Pages4K(0x180, 4), Pages4K(0x300, 4)};
  EXPECT_TRUE(SettlePinned(memory, tracked_.get()).empty());
  EXPECT_EQ(ledger().claimed.CountSet(), Pages{0});
}

TEST_F(PinnedPagesTest, AHugePageIsTakenWhole) {
  std::vector<Region> regions;
  regions.push_back({.range = {TargetAddress{MiB(4).count}, TargetAddress{MiB(8).count}},
                     .first = {},
                     .page_size = MiB(2)});
  const auto huge = MakeMapped<TrackedMemory>(RegionSet(std::move(regions)));
  huge->ledger.present.SetRun({PageIndex{0}, Pages{1024}});
  const std::vector<AddressRange> memory = {
      {TargetAddress{MiB(6).count + 4096}, TargetAddress{MiB(6).count + 8192}}};
  const auto taken = SettlePinned(memory, huge.get());
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0], (AddressRange{TargetAddress{MiB(6).count}, TargetAddress{MiB(8).count}}));
}

}  // namespace
}  // namespace stillframe
