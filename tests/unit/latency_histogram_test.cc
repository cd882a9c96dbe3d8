#include "base/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace stillframe {
namespace {

TEST(LatencyHistogramTest, AnEmptyOneIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.99), Duration(0));
  EXPECT_EQ(histogram.max(), Duration(0));
}

TEST(LatencyHistogramTest, QuantilesAreWithinAThirtySecond) {
  LatencyHistogram histogram;
  std::mt19937_64 random(11);
  std::vector<int64_t> values;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<int64_t>(random() >> (random() % 40 + 20)));
    histogram.Record(Duration(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double quantile : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto exact = static_cast<double>(values[static_cast<size_t>(quantile * 20000) - 1]);
    const auto found = static_cast<double>(histogram.Quantile(quantile).count());
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact * 33 / 32 + 1);
  }
  EXPECT_EQ(histogram.Quantile(1).count(), values.back());
}

TEST(LatencyHistogramTest, ExtremesHaveAPlace) {
  LatencyHistogram histogram;
  histogram.Record(Duration(-5));
  histogram.Record(Duration::max());
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.Quantile(0.5), Duration(0));
  EXPECT_EQ(histogram.Quantile(1), Duration::max());
}

TEST(LatencyHistogramTest, CountsWhatIsAboveALimit) {
  LatencyHistogram histogram;
  for (int ms = 1; ms <= 10; ++ms) histogram.Record(std::chrono::milliseconds(ms));
  EXPECT_EQ(histogram.CountAbove(std::chrono::milliseconds(5)), 5u);
}

}  // namespace
}  // namespace stillframe
