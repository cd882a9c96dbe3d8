#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "throttle/token_bucket.h"

namespace stillframe {
namespace {

using std::chrono::seconds;

TEST(TokenBucketTest, AnIdleBucketLendsItsBurstAndNoMore) {
  TimePoint now{seconds(1)};
  TokenBucket bucket(MiB(1), KiB(64), now);
  now += seconds(100);
  bucket.Spend(KiB(64), now);
  EXPECT_EQ(bucket.TimeUntilReady(now), Duration(0));
  bucket.Spend(KiB(1), now);
  EXPECT_GT(bucket.TimeUntilReady(now), Duration(0));
}

TEST(TokenBucketTest, ADebtIsPaidAtTheRate) {
  const TimePoint now{seconds(1)};
  TokenBucket bucket(KiB(1), Bytes{0}, now);
  bucket.Spend(KiB(3), now);
  EXPECT_EQ(bucket.TimeUntilReady(now), seconds(3));
  EXPECT_EQ(bucket.TimeUntilReady(now + seconds(1)), seconds(2));
  EXPECT_EQ(bucket.TimeUntilReady(now + seconds(3)), Duration(0));
}

TEST(TokenBucketTest, AClockThatStandsStillGivesNothing) {
  const TimePoint now{seconds(1)};
  TokenBucket bucket(KiB(1), Bytes{0}, now);
  bucket.Spend(KiB(1), now);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bucket.TimeUntilReady(now), seconds(1));
}

TEST(TokenBucketTest, NoTwoSecondsCarryMoreThanTheirShare) {
  TimePoint now{seconds(1)};
  constexpr Bytes kRate = MiB(50);
  TokenBucket bucket(kRate, kRate / 50, now);
  std::deque<std::pair<TimePoint, uint64_t>> window;
  uint64_t in_window = 0;
  uint64_t most = 0;
  for (int i = 0; i < 20000; ++i) {
    now += bucket.TimeUntilReady(now);
    const Bytes piece = KiB(static_cast<uint64_t>(4 + i * 37 % 256));
    bucket.Spend(piece, now);
    window.emplace_back(now, piece.count);
    in_window += piece.count;
    while (window.front().first + seconds(2) < now) {
      in_window -= window.front().second;
      window.pop_front();
    }
    most = std::max(most, in_window);
    if (i % 1000 == 0) now += seconds(1);  // an output that stalls now and then
  }
  EXPECT_LE(most, (kRate * 2 + kRate / 10).count);
}

}  // namespace
}  // namespace stillframe
