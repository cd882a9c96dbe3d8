#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "evaluate/bench/board.h"
#include "evaluate/bench/child.h"

namespace stillframe::evaluate {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kSlot = LatencyBoard::kShortestSlot;

class BenchBoardTest : public testing::Test {
 protected:
  BenchBoardTest() { board_.Start(epoch_, Duration(0)); }

  const TimePoint epoch_{hours(1)};
  LatencyBoard board_{2};
};

TEST_F(BenchBoardTest, AWriteIsFoundInTheSlotOfItsIntendedTimeOnly) {
  board_.Record(0, epoch_ + kSlot, milliseconds(70));
  EXPECT_EQ(board_.Collect(0, epoch_, epoch_ + kSlot).count(), 0U);
  const LatencyCounts found = board_.Collect(0, epoch_ + kSlot, epoch_ + 2 * kSlot);
  EXPECT_EQ(found.count(), 1U);
  EXPECT_EQ(found.max(), milliseconds(70));
  EXPECT_EQ(found.in_bucket(LatencyCounts::BucketOf(milliseconds(70))), 1U);
}

TEST_F(BenchBoardTest, LanesDoNotMix) {
  board_.Record(0, epoch_, microseconds(3));
  board_.Record(1, epoch_, microseconds(5), 7);
  EXPECT_EQ(board_.Collect(0, epoch_, epoch_ + kSlot).count(), 1U);
  EXPECT_EQ(board_.Collect(1, epoch_, epoch_ + kSlot).count(), 7U);
}

TEST_F(BenchBoardTest, DoneCountsWhenAWriteWasDoneNotWhenItWasIntended) {
  board_.Record(0, epoch_, 3 * kSlot);
  board_.Done(0, epoch_ + 3 * kSlot);
  EXPECT_EQ(board_.CountDone(0, epoch_, epoch_ + kSlot), 0U);
  EXPECT_EQ(board_.CountDone(0, epoch_ + 3 * kSlot, epoch_ + 4 * kSlot), 1U);
}

TEST_F(BenchBoardTest, WhatWasIntendedBeforeTheEpochIsLeftOut) {
  board_.Record(0, epoch_ - Duration(1), milliseconds(1));
  board_.Done(0, epoch_ - Duration(1));
  EXPECT_EQ(board_.Collect(0, epoch_ - hours(1), epoch_ + hours(1)).count(), 0U);
  EXPECT_EQ(board_.CountDone(0, epoch_ - hours(1), epoch_ + hours(1)), 0U);
}

TEST_F(BenchBoardTest, WhatComesBehindTheLastSlotIsInIt) {
  board_.Record(0, epoch_ + hours(10), milliseconds(2));
  EXPECT_EQ(board_.Collect(0, epoch_, epoch_ + hours(20)).count(), 1U);
}

TEST_F(BenchBoardTest, ANewStartForgetsEverything) {
  board_.Record(0, epoch_, milliseconds(2));
  board_.Done(0, epoch_);
  board_.Start(epoch_, Duration(0));
  EXPECT_EQ(board_.Collect(0, epoch_, epoch_ + kSlot).count(), 0U);
  EXPECT_EQ(board_.Collect(0, epoch_, epoch_ + kSlot).max(), Duration(0));
  EXPECT_EQ(board_.CountDone(0, epoch_, epoch_ + kSlot), 0U);
}

TEST_F(BenchBoardTest, ALongRoundGetsLongerSlotsSoThatItFits) {
  board_.Start(epoch_, hours(1));
  EXPECT_GT(board_.slot() * static_cast<int64_t>(LatencyBoard::kSlots), hours(1));
  EXPECT_EQ(board_.EndOfSlot(epoch_ + Duration(1)), epoch_ + board_.slot());
}

TEST_F(BenchBoardTest, AForkedChildWritesToTheSameBoard) {
  auto child = ChildProcess::Start([&] {
    board_.Record(1, epoch_, milliseconds(9));
    return 7;
  });
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_EQ((*child)->Wait(), 7);
  EXPECT_EQ(board_.Collect(1, epoch_, epoch_ + kSlot).max(), milliseconds(9));
}

TEST_F(BenchBoardTest, EachBucketOfEachSlotIsVisitedOnceInTheOrderOfTime) {
  board_.Record(0, epoch_, microseconds(10), 2);
  board_.Record(0, epoch_, milliseconds(10));
  board_.Record(0, epoch_ + 5 * kSlot, microseconds(10));
  struct Visited {
    TimePoint slot;
    uint64_t count;
    bool operator==(const Visited&) const = default;
  };
  std::vector<Visited> visited;
  board_.ForEach(0, epoch_, epoch_ + hours(1), [&](TimePoint slot, Duration, uint64_t count) {
    visited.push_back({slot, count});
  });
  EXPECT_EQ(visited, (std::vector<Visited>{{epoch_, 2}, {epoch_, 1}, {epoch_ + 5 * kSlot, 1}}));
}

}  // namespace
}  // namespace stillframe::evaluate
