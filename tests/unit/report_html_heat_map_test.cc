#include <gtest/gtest.h>

#include "report/html_heat_map.h"

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

uint64_t Total(const HtmlHeatMap& map) {
  uint64_t total = 0;
  for (const auto& column : map.counts) {
    for (const uint64_t count : column) total += count;
  }
  return total;
}

TEST(HtmlHeatMap, EightRowsMakeATenfoldLatency) {
  EXPECT_EQ(HtmlHeatMap::RowOf(nanoseconds(150)), 1u);
  EXPECT_EQ(HtmlHeatMap::RowOf(nanoseconds(1500)), 1u + 8);
  EXPECT_EQ(HtmlHeatMap::RowOf(milliseconds(15)), 1u + 5 * 8);
}

TEST(HtmlHeatMap, WhatIsShorterOrLongerThanAllRowsStandsInTheOutermost) {
  EXPECT_EQ(HtmlHeatMap::RowOf(nanoseconds(-5)), 0u);
  EXPECT_EQ(HtmlHeatMap::RowOf(nanoseconds(0)), 0u);
  EXPECT_EQ(HtmlHeatMap::RowOf(seconds(1000)), HtmlHeatMap::kRows - 1);
}

TEST(HtmlHeatMap, NothingRecordedIsAnEmptyMap) { EXPECT_TRUE(HtmlHeatMapBuilder().map().empty()); }

TEST(HtmlHeatMap, AWriteStandsInTheColumnOfItsTimeAndTheRowOfItsLatency) {
  HtmlHeatMapBuilder builder(-milliseconds(10));
  builder.Add(milliseconds(5), microseconds(15), 3);
  const HtmlHeatMap& map = builder.map();
  ASSERT_EQ(map.column, milliseconds(1));
  ASSERT_EQ(map.counts.size(), 16u);
  EXPECT_EQ(map.counts[15][HtmlHeatMap::RowOf(microseconds(15))], 3u);
  EXPECT_EQ(Total(map), 3u);
}

TEST(HtmlHeatMap, ColumnsAreAsWideAsWasAskedForUntilTheyAreTooMany) {
  HtmlHeatMapBuilder builder(milliseconds(0), milliseconds(10));
  builder.Add(milliseconds(3999), microseconds(1));
  EXPECT_EQ(builder.map().column, milliseconds(10));
  EXPECT_EQ(builder.map().counts.size(), 400u);
  builder.Add(milliseconds(4000), microseconds(1));
  EXPECT_EQ(builder.map().column, milliseconds(20));
}

TEST(HtmlHeatMap, WhatWasBeforeTheBeginningCountsIntoTheFirstColumn) {
  HtmlHeatMapBuilder builder(milliseconds(100));
  builder.Add(milliseconds(1), microseconds(15));
  ASSERT_EQ(builder.map().counts.size(), 1u);
  EXPECT_EQ(Total(builder.map()), 1u);
}

TEST(HtmlHeatMap, ALongSaveWidensItsColumnsAndLosesNoWrite) {
  HtmlHeatMapBuilder builder;
  for (int ms = 0; ms < 5000; ++ms) builder.Add(milliseconds(ms), microseconds(10 + ms));
  const HtmlHeatMap& map = builder.map();
  EXPECT_EQ(map.column, milliseconds(16));
  EXPECT_EQ(map.counts.size(), 313u);
  EXPECT_EQ(Total(map), 5000u);
  // The column from 3200 ms to 3216 ms: all of its writes, and the longest exactly.
  uint64_t in_column = 0;
  for (const uint64_t count : map.counts[200]) in_column += count;
  EXPECT_EQ(in_column, 16u);
  EXPECT_EQ(map.longest[200], microseconds(10 + 3215));
  // One that was put together from sixteen.
  EXPECT_EQ(map.longest[5], microseconds(10 + 95));
}

TEST(HtmlHeatMap, NeverMoreColumnsThanTheBound) {
  HtmlHeatMapBuilder builder;
  builder.Add(milliseconds(0), microseconds(1));
  builder.Add(milliseconds(399), microseconds(1));
  EXPECT_EQ(builder.map().counts.size(), 400u);
  builder.Add(std::chrono::hours(30), microseconds(1));
  EXPECT_LE(builder.map().counts.size(), HtmlHeatMap::kMaxColumns);
  EXPECT_EQ(builder.map().longest.size(), builder.map().counts.size());
  EXPECT_EQ(Total(builder.map()), 3u);
}

}  // namespace
}  // namespace stillframe
