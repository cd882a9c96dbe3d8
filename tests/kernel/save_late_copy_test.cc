// Pages that are copied before the instant: whether a copy that counts is what stands there at the
// instant, whatever the target did since.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "kernel/pre_arm.h"
#include "save/late_audit.h"
#include "save/late_copy.h"
#include "save/linear_saver.h"
#include "save/output_pacer.h"
#include "save/save_account.h"

namespace stillframe {
namespace {

// What was told last of a page holds.
class LastSink final : public PageSink {
 public:
  Result<void> Write(TargetAddress address, std::span<const std::byte> pages, PageSource) override {
    for (size_t i = 0; i < pages.size(); i += kPageSize.count) {
      Tell(address + Bytes{i}, static_cast<char>(pages[i]));
    }
    return {};
  }
  Result<void> Zero(AddressRange range) override {
    for (TargetAddress at = range.begin; at < range.end; at = at + kPageSize) Tell(at, 0);
    return {};
  }
  Result<void> Lost(AddressRange range, std::string_view reason) override {
    for (TargetAddress at = range.begin; at < range.end; at = at + kPageSize) {
      bytes.erase(at);
      lost[at] = reason;
    }
    return {};
  }
  Result<void> Finish(const ImageMetadata&) override { return {}; }
  void Interrupt() override {}
  SinkCounters counters() const override { return {}; }

  std::map<TargetAddress, char> bytes;
  std::map<TargetAddress, std::string> lost;
  uint64_t told = 0;

 private:
  void Tell(TargetAddress page, char first) {
    bytes[page] = first;
    ++told;
  }
};

class SaveLateCopyTest : public PreArmTest {
 protected:
  void SetUp() override {
    PreArmTest::SetUp();
    if (!IsSkipped()) copy_.emplace(*target_, sink_, pacer_);
  }

  void ArmAndCopy() {
    ASSERT_TRUE(pre_arm_->ArmAll());
    Copy();
  }
  void Copy() {
    ASSERT_TRUE(copy_->CopyMissing(*tracked_, [] { return Result<void>(); }));
  }

  // Of a puppet that waits for its next order, so that it stands still: notes what its memory is.
  void TakeInstant() {
    Pause();
    for (const PlannedMapping& planned : plan_) {
      const AddressRange own = Intersect(planned.mapping.range, puppet_.range());
      for (TargetAddress at = own.begin; at < own.end; at = at + kPageSize) {
        instant_[at] = FirstByte(at);
      }
    }
    tracker_->SetMode(FaultTracker::Mode::kServing);
  }
  char FirstByte(TargetAddress at) const {
    std::array<PagemapEntry, 1> entry;
    EXPECT_EQ(ReadPagemap(target_->pagemap(), at, entry), 1u);
    if (!entry[0].populated() || entry[0].marker()) return 0;
    char byte = 0;
    const iovec to{.iov_base = &byte, .iov_len = 1};
    EXPECT_EQ(target_->Read(at, {&to, 1}).copied, Bytes{1});
    return byte;
  }

  // Saves the rest, and holds what came of it against the instant.
  void ExpectTheInstant() {
    Scan();
    const auto doubtful = DropDoubtfulCopies(*target_, tracked_.get());
    ASSERT_TRUE(doubtful);
    doubtful_ = *doubtful;
    ASSERT_TRUE(AccountForRest(*tracked_, PausedCopies(), &sink_));
    uint64_t wrong = 0;
    for (const auto& [at, byte] : instant_) {
      if (sink_.lost.contains(at)) continue;
      const bool right = sink_.bytes.contains(at) && sink_.bytes[at] == byte;
      if (!right && ++wrong < 5) {
        ADD_FAILURE() << "page " << ToPages(at - puppet_.range().begin).count << ": "
                      << sink_.bytes[at] << " instead of " << byte;
      }
    }
    EXPECT_EQ(wrong, 0u);
  }
  void Scan() {
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
    ASSERT_TRUE(saver->Run([this]() -> Result<void> {
      Track();
      for (auto staged = Next(); staged; staged = Next()) {
        const auto bytes = stage_->MemoryOf(*staged);
        saved_late_ += bytes.size() / kPageSize.count;
        EXPECT_TRUE(
            sink_.Write(tracked_->regions.AddressOf(staged->pages.first), bytes, staged->source));
        stage_->Release(*staged);
      }
      return {};
    }));
  }
  std::optional<StagedPages> Next() {
    auto staged = stage_->NextFaulted();
    return staged ? staged : stage_->NextScanned();
  }
  PageIndex Index(uint64_t page) const {
    return tracked_->map.AtAddress(puppet_.Page(page))->pages.first;
  }

  OutputPacer pacer_{Bytes{0}, MonotonicClock()};
  LastSink sink_;
  std::optional<LateCopy> copy_;
  std::map<TargetAddress, char> instant_;
  uint64_t saved_late_ = 0;  // after the instant
  Pages doubtful_;
};

TEST_P(SaveLateCopyTest, WhatNobodyTouchesIsSavedBeforeTheInstantAndOnce) {
  ArmAndCopy();
  EXPECT_GE(copy_->done(), Pages{kHoles});
  EXPECT_EQ(LateCopy::Missing(*tracked_), Pages{0});
  Copy();
  EXPECT_EQ(sink_.told, copy_->done().count) << "a page was copied twice for nothing";
  TakeInstant();
  ExpectTheInstant();
  EXPECT_EQ(saved_late_, 0u);
  EXPECT_TRUE(sink_.lost.empty());
}

TEST_P(SaveLateCopyTest, WhatIsWrittenSinceIsSavedAfterTheInstant) {
  ArmAndCopy();
  Do(Order::kWrite, 10, 3);
  TakeInstant();
  ExpectTheInstant();
  EXPECT_GE(saved_late_, 3u);
  EXPECT_LT(saved_late_, 100u);
}

TEST_P(SaveLateCopyTest, WhatIsWrittenSinceIsCopiedAgainInTheNextRound) {
  ArmAndCopy();
  Do(Order::kWrite, 10, 3);
  ASSERT_TRUE(pre_arm_->Again());
  EXPECT_EQ(LateCopy::Missing(*tracked_), Pages{3});
  Copy();
  EXPECT_EQ(LateCopy::Missing(*tracked_), Pages{0});
  TakeInstant();
  ExpectTheInstant();
  EXPECT_EQ(saved_late_, 0u);
}

TEST_P(SaveLateCopyTest, AHoleThatBecameAPageIsAPage) {
  ArmAndCopy();
  Do(Order::kWrite, kHoles + 5, 2);
  ASSERT_TRUE(pre_arm_->Again());
  Copy();
  Do(Order::kWrite, kPages - 1, 1);
  TakeInstant();
  ExpectTheInstant();
}

TEST_P(SaveLateCopyTest, WhatIsDiscardedSinceIsZero) {
  ArmAndCopy();
  Do(Order::kDiscard, 100, 700);
  Do(Order::kWrite, 300, 20);
  TakeInstant();
  ExpectTheInstant();
  EXPECT_EQ(sink_.bytes[puppet_.Page(100)], 0);
  EXPECT_EQ(sink_.bytes[puppet_.Page(310)], '!');
}

TEST_P(SaveLateCopyTest, WhatIsUnmappedAndMappedAnewIsWhatItIsNow) {
  ArmAndCopy();
  Do(Order::kMapOver, 200, 100);
  Do(Order::kUnmap, 400, 10);
  TakeInstant();
  ExpectTheInstant();
  EXPECT_EQ(sink_.bytes[puppet_.Page(200)], '!');
  EXPECT_EQ(sink_.bytes[puppet_.Page(250)], 0);
}

TEST_P(SaveLateCopyTest, PagesThatMoveOverOthersAreSavedWhereTheyAre) {
  ArmAndCopy();
  Do(Order::kMove, 100, 50, puppet_.Page(1000));
  TakeInstant();
  ExpectTheInstant();
  EXPECT_EQ(sink_.bytes[puppet_.Page(1000)], static_cast<char>('a' + 100 % 26));
}

TEST_P(SaveLateCopyTest, PagesThatMoveBetweenTwoRoundsAreSavedWhereTheyAre) {
  ArmAndCopy();
  Do(Order::kMove, 100, 50, puppet_.Page(1601));
  ASSERT_TRUE(pre_arm_->Again());
  Copy();
  Do(Order::kWrite, 1610, 1);
  TakeInstant();
  ExpectTheInstant();
}

TEST_P(SaveLateCopyTest, WhatIsMappedAnewBetweenTwoRoundsIsCopiedInTheNext) {
  ArmAndCopy();
  Do(Order::kMapOver, 200, 100);
  RegisterMore();
  ASSERT_TRUE(pre_arm_->Again());
  EXPECT_EQ(LateCopy::Missing(*tracked_), Pages{1});
  Copy();
  TakeInstant();
  ExpectTheInstant();
  EXPECT_EQ(saved_late_, 0u);
  EXPECT_EQ(sink_.bytes[puppet_.Page(200)], '!');
}

TEST_P(SaveLateCopyTest, AWriteAfterTheInstantIsLetThroughAtOnce) {
  ArmAndCopy();
  TakeInstant();
  Do(Order::kWrite, 7, 1);
  EXPECT_EQ(stage_->peak(), Bytes{0}) << "it was copied once more";
  EXPECT_TRUE(tracked_->ledger.opened_saved.Test(Index(7)));
  ExpectTheInstant();
  EXPECT_EQ(doubtful_, Pages{0});
  EXPECT_EQ(sink_.bytes[puppet_.Page(7)], static_cast<char>('a' + 7));
  EXPECT_TRUE(sink_.lost.empty());
}

TEST_P(SaveLateCopyTest, WhatGoesAfterTheInstantIsNotLost) {
  ArmAndCopy();
  TakeInstant();
  Do(Order::kDiscard, 100, 10);
  Do(Order::kUnmap, 200, 10);
  Do(Order::kMove, 300, 10, puppet_.Page(600));
  Do(Order::kMapOver, 500, 10);
  ExpectTheInstant();
  EXPECT_EQ(doubtful_, Pages{0});
  EXPECT_TRUE(sink_.lost.empty());
}

TEST_P(SaveLateCopyTest, APageWithoutAMarkIsNotCopied) {
  ASSERT_TRUE(pre_arm_->ArmAll());
  Do(Order::kGuard, 100, 1);  // since 6.13
  Do(Order::kUnguard, 100, 1);
  Do(Order::kWrite, 100, 1);
  std::array<PagemapEntry, 1> entry;
  ASSERT_EQ(ReadPagemap(target_->pagemap(), puppet_.Page(100), entry), 1u);
  if (entry[0].armed()) GTEST_SKIP() << "no MADV_GUARD_INSTALL";
  Copy();
  EXPECT_FALSE(tracked_->ledger.proven.Test(Index(100)));
  EXPECT_TRUE(tracked_->ledger.proven.Test(Index(101)));
  EXPECT_FALSE(sink_.bytes.contains(puppet_.Page(100)));
}

// The kernel takes these pages and tells nobody, before the instant or after it: who knows.
TEST_P(SaveLateCopyTest, ACopyOfAPageThatWentByNoKnownWayIsNotBelieved) {
  ArmAndCopy();
  Do(Order::kGuard, 100, 2);  // since 6.13
  Do(Order::kUnguard, 100, 2);
  Do(Order::kWrite, 100, 1);
  std::array<PagemapEntry, 2> entries;
  ASSERT_EQ(ReadPagemap(target_->pagemap(), puppet_.Page(100), entries), 2u);
  if (entries[1].populated()) GTEST_SKIP() << "no MADV_GUARD_INSTALL";
  const bool told = tracked_->arming.any_stale.load() || tracked_->arming.opened.Test(Index(100));
  TakeInstant();
  ExpectTheInstant();
  if (told) GTEST_SKIP() << "this kernel tells of it";
  EXPECT_EQ(doubtful_, Pages{2});
  EXPECT_EQ(sink_.lost[puppet_.Page(100)], "unmarked");
  EXPECT_EQ(sink_.lost[puppet_.Page(101)], "unmarked");
}

// It gets a mark again with its neighbours, and looks as if it had never lost it.
TEST_P(SaveLateCopyTest, ACopyOfAPageThatIsArmedAlongIsNotBelieved) {
  ArmAndCopy();
  Do(Order::kGuard, 100, 2);
  Do(Order::kUnguard, 100, 2);
  Do(Order::kWrite, 100, 1);
  Do(Order::kWrite, 98, 1);
  Do(Order::kWrite, 102, 1);
  ASSERT_TRUE(pre_arm_->Again());
  TakeInstant();
  ExpectTheInstant();
}

INSTANTIATE_TEST_SUITE_P(Holes, SaveLateCopyTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Marked" : "Looked"; });

}  // namespace
}  // namespace stillframe
