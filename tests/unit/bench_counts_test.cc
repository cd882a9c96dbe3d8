#include <gtest/gtest.h>

#include <chrono>

#include "evaluate/bench/counts.h"

namespace stillframe::evaluate {
namespace {

using std::chrono::milliseconds;

TEST(BenchCountsTest, EveryLatencyLiesWithinItsBucket) {
  for (int64_t ns : {int64_t{0}, int64_t{1}, int64_t{63}, int64_t{64}, int64_t{999'999},
                     int64_t{5'000'000}, int64_t{1'000'000'000}, int64_t{60'000'000'000}}) {
    const size_t bucket = LatencyCounts::BucketOf(Duration(ns));
    EXPECT_LE(LatencyCounts::LowestIn(bucket).count(), ns);
    EXPECT_GE(LatencyCounts::HighestIn(bucket).count(), ns);
  }
}

TEST(BenchCountsTest, BucketsFollowEachOtherWithoutAGap) {
  for (size_t i = 1; i < LatencyCounts::kBuckets; ++i) {
    ASSERT_EQ(LatencyCounts::BucketOf(LatencyCounts::LowestIn(i)), i);
    ASSERT_EQ(LatencyCounts::BucketOf(LatencyCounts::HighestIn(i)), i);
    ASSERT_EQ(LatencyCounts::LowestIn(i), LatencyCounts::HighestIn(i - 1) + Duration(1));
  }
}

TEST(BenchCountsTest, WhatIsLongerThanAnyBucketIsInTheLastAndItsMaximumExact) {
  LatencyCounts counts;
  counts.Add(std::chrono::hours(1));
  EXPECT_EQ(counts.in_bucket(LatencyCounts::kBuckets - 1), 1U);
  EXPECT_EQ(counts.max(), std::chrono::hours(1));
  EXPECT_EQ(counts.Quantile(1), std::chrono::hours(1));
  EXPECT_EQ(counts.CountAbove(milliseconds(5)), 1U);
}

TEST(BenchCountsTest, AnEmptyOneIsZero) {
  const LatencyCounts counts;
  EXPECT_EQ(counts.Quantile(0.999), Duration(0));
  EXPECT_EQ(counts.max(), Duration(0));
  EXPECT_EQ(counts.CountAbove(Duration(0)), 0U);
}

TEST(BenchCountsTest, QuantilesAndSumsOfTwo) {
  LatencyCounts fast;
  fast.Add(Duration(20), 990);
  LatencyCounts slow;
  slow.Add(milliseconds(40), 10);
  fast.Add(slow);
  EXPECT_EQ(fast.count(), 1000U);
  EXPECT_EQ(fast.Quantile(0.5), Duration(20));
  EXPECT_EQ(fast.Quantile(0.99), Duration(20));
  EXPECT_EQ(fast.Quantile(0.991), milliseconds(40));
  EXPECT_EQ(fast.CountAbove(milliseconds(5)), 10U);
  EXPECT_EQ(fast.max(), milliseconds(40));
}

}  // namespace
}  // namespace stillframe::evaluate
