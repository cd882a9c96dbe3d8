#include <gtest/gtest.h>

#include "report/html_timeline.h"

namespace stillframe {
namespace {

using std::chrono::milliseconds;

// Ten bins of 10 ms, from -20 ms on.
HtmlTimelineBuilder TenBins() { return {-milliseconds(20), milliseconds(80), 10}; }

TEST(HtmlTimeline, AStateIsSharedAmongTheBinsItReachesOver) {
  HtmlTimelineBuilder builder = TenBins();
  builder.State(milliseconds(5), milliseconds(32), HtmlThrottleState::kPushing);
  builder.State(milliseconds(32), milliseconds(36), HtmlThrottleState::kHoldingBack);
  builder.State(milliseconds(36), milliseconds(40), HtmlThrottleState::kNoRoom);
  const HtmlTimeline timeline = std::move(builder).Take();
  ASSERT_EQ(timeline.bins.size(), 10u);
  EXPECT_EQ(timeline.bin, milliseconds(10));
  EXPECT_DOUBLE_EQ(timeline.bins[1].pushing, 0);
  EXPECT_DOUBLE_EQ(timeline.bins[2].pushing, 0.5);
  EXPECT_DOUBLE_EQ(timeline.bins[3].pushing, 1);
  EXPECT_DOUBLE_EQ(timeline.bins[4].pushing, 1);
  EXPECT_DOUBLE_EQ(timeline.bins[5].pushing, 0.2);
  EXPECT_DOUBLE_EQ(timeline.bins[5].holding_back, 0.4);
  EXPECT_DOUBLE_EQ(timeline.bins[5].no_room, 0.4);
  EXPECT_DOUBLE_EQ(timeline.bins[6].no_room, 0);
}

TEST(HtmlTimeline, WhatLiesOutsideIsLeftOut) {
  HtmlTimelineBuilder builder = TenBins();
  builder.State(-milliseconds(500), milliseconds(500), HtmlThrottleState::kPushing);
  builder.Stage(milliseconds(81), MiB(1));
  builder.Stage(-milliseconds(21), MiB(1));
  for (const HtmlTimeline::Bin& bin : std::move(builder).Take().bins) {
    EXPECT_DOUBLE_EQ(bin.pushing, 1);
    EXPECT_FALSE(bin.stage_known);
  }
}

TEST(HtmlTimeline, ABinShowsTheFullestTheStageWasAndKeepsItUntilTheNextSample) {
  HtmlTimelineBuilder builder = TenBins();
  builder.Stage(milliseconds(1), MiB(3));
  builder.Stage(milliseconds(2), MiB(9));
  builder.Stage(milliseconds(3), MiB(4));
  builder.Stage(milliseconds(21), MiB(0));
  const HtmlTimeline timeline = std::move(builder).Take();
  EXPECT_FALSE(timeline.bins[1].stage_known);
  EXPECT_EQ(timeline.bins[2].stage, MiB(9));
  EXPECT_TRUE(timeline.bins[3].stage_known);
  EXPECT_EQ(timeline.bins[3].stage, MiB(9));
  EXPECT_TRUE(timeline.bins[4].stage_known);
  EXPECT_EQ(timeline.bins[4].stage, MiB(0));
}

TEST(HtmlTimeline, ASampleAtTheVeryEndCountsIntoTheLastBin) {
  HtmlTimelineBuilder builder = TenBins();
  builder.Stage(milliseconds(80), MiB(2));
  const HtmlTimeline timeline = std::move(builder).Take();
  EXPECT_EQ(timeline.bins[9].stage, MiB(2));
  EXPECT_FALSE(timeline.bins[8].stage_known);
}

TEST(HtmlTimeline, SentBytesAreSpreadOverTheTimeInWhichTheyWent) {
  HtmlTimelineBuilder builder = TenBins();
  builder.Sent(milliseconds(0), Bytes{0});
  builder.Sent(milliseconds(20), Bytes{4000});
  builder.Sent(milliseconds(25), Bytes{5000});
  const HtmlTimeline timeline = std::move(builder).Take();
  EXPECT_EQ(timeline.bins[1].sent, Bytes{0});
  EXPECT_EQ(timeline.bins[2].sent, Bytes{2000});
  EXPECT_EQ(timeline.bins[3].sent, Bytes{2000});
  EXPECT_EQ(timeline.bins[4].sent, Bytes{1000});
}

TEST(HtmlTimeline, AClockThatStandsOrACounterThatFallsIsNoBandwidth) {
  HtmlTimelineBuilder builder = TenBins();
  builder.Sent(milliseconds(10), Bytes{1000});
  builder.Sent(milliseconds(10), Bytes{9000});
  builder.Sent(milliseconds(20), Bytes{500});
  uint64_t sent = 0;
  for (const HtmlTimeline::Bin& bin : std::move(builder).Take().bins) sent += bin.sent.count;
  EXPECT_EQ(sent, 1000u);
}

TEST(HtmlTimeline, AnEmptySpanHasNoBins) {
  HtmlTimelineBuilder builder(milliseconds(5), milliseconds(5));
  builder.State(milliseconds(0), milliseconds(9), HtmlThrottleState::kPushing);
  builder.Stage(milliseconds(5), MiB(1));
  builder.Sent(milliseconds(6), Bytes{1});
  EXPECT_TRUE(std::move(builder).Take().empty());
}

TEST(HtmlTimeline, NeverMoreBinsThanTheBound) {
  HtmlTimelineBuilder builder(milliseconds(0), milliseconds(100), 100'000);
  EXPECT_EQ(std::move(builder).Take().bins.size(), HtmlTimeline::kMaxBins);
}

}  // namespace
}  // namespace stillframe
