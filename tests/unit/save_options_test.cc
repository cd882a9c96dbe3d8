#include "save/save_options.h"

#include <gtest/gtest.h>

#include "save/memory_budget.h"

namespace stillframe {
namespace {

TEST(SaveOptionsTest, TheDefaultsAreInTheirRanges) { EXPECT_TRUE(CheckSaveOptions({})); }

TEST(SaveOptionsTest, ASpillFileBelowOneMebibyteIsNoUse) {
  EXPECT_TRUE(CheckSaveOptions({.spill_limit = MiB(1)}));
  const auto refused = CheckSaveOptions({.spill_limit = MiB(1) - kPageSize});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
}

TEST(SaveOptionsTest, AStageFitsUpToTheMemoryThatIsAvailable) {
  EXPECT_TRUE(CheckStageFits(MiB(64), MiB(64)));
  const auto refused = CheckStageFits(MiB(64), MiB(64) - kPageSize);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  EXPECT_NE(refused.error().hint, "");
}

TEST(SaveOptionsTest, ALateInstantIsOfWriteProtectionOnly) {
  EXPECT_TRUE(CheckSaveOptions({.instant = Instant::kLate}));
  for (const Via via : {Via::kFork, Via::kStop, Via::kPrecopy}) {
    const auto refused = CheckSaveOptions({.via = via, .instant = Instant::kLate});
    ASSERT_FALSE(refused) << ViaName(via);
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
    EXPECT_NE(refused.error().hint, "");
  }
}

class OrderedSink final : public PageSink {
 public:
  explicit OrderedSink(bool needs_order) : needs_order_(needs_order) {}
  Result<void> Write(TargetAddress, std::span<const std::byte>, PageSource) override { return {}; }
  Result<void> Zero(AddressRange) override { return {}; }
  Result<void> Lost(AddressRange, std::string_view) override { return {}; }
  Result<void> Finish(const ImageMetadata&) override { return {}; }
  void Interrupt() override {}
  bool needs_order() const override { return needs_order_; }
  SinkCounters counters() const override { return {}; }

 private:
  const bool needs_order_;
};

TEST(SaveOptionsTest, OnlyWaysThatKeepToAnOrderSaveToASinkThatNeedsIt) {
  for (const Via via : {Via::kWriteProtect, Via::kPrecopy, Via::kFork, Via::kStop}) {
    EXPECT_TRUE(CheckOrder({.via = via}, OrderedSink(false))) << ViaName(via);
  }
  EXPECT_TRUE(CheckOrder({.via = Via::kFork}, OrderedSink(true)));
  EXPECT_TRUE(CheckOrder({.via = Via::kStop}, OrderedSink(true)));
  for (const Via via : {Via::kWriteProtect, Via::kPrecopy}) {
    const auto refused = CheckOrder({.via = via}, OrderedSink(true));
    ASSERT_FALSE(refused) << ViaName(via);
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
    EXPECT_EQ(refused.error().hint, "--via fork or stop, or a file");
  }
}

TEST(SaveOptionsTest, ADirectoryToSpillToIsLookedForOnlyIfOneMayBeNeeded) {
  SaveOptions options{.stage = MiB(1), .spill_dir = "/no/such/directory"};
  const auto refused = CheckRoomFor(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOutput);
  options.on_full = OnFull::kWait;
  EXPECT_TRUE(CheckRoomFor(options));
  options.on_full = OnFull::kAbort;
  EXPECT_TRUE(CheckRoomFor(options));
  options.on_full = OnFull::kSpill;
  options.via = Via::kFork;
  EXPECT_TRUE(CheckRoomFor(options));
}

}  // namespace
}  // namespace stillframe
