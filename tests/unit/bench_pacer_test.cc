#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <vector>

#include "evaluate/pacer.h"

namespace stillframe::evaluate {
namespace {

using std::chrono::milliseconds;

// Intended times of the first steps, from the first one on.
std::vector<Duration> DueTimes(Pacer& pacer, size_t count) {
  const std::atomic<bool> never_wait = true;
  std::vector<Duration> due;
  const TimePoint first = pacer.WaitForNext(never_wait);
  for (size_t i = 0; i < count; ++i) {
    due.push_back((i == 0 ? first : pacer.WaitForNext(never_wait)) - first);
  }
  return due;
}

TEST(BenchPacerTest, StepsAreEvenlySpaced) {
  Pacer pacer(100);
  EXPECT_EQ(DueTimes(pacer, 3),
            (std::vector<Duration>{milliseconds(0), milliseconds(10), milliseconds(20)}));
}

TEST(BenchPacerTest, BurstsKeepTheRateOverWholePeriods) {
  // 10 steps a second are 5 in each half, all in the first 100 ms of it.
  Pacer pacer(10, {.period = milliseconds(500), .share = 0.2});
  EXPECT_EQ(
      DueTimes(pacer, 7),
      (std::vector<Duration>{milliseconds(0), milliseconds(20), milliseconds(40), milliseconds(60),
                             milliseconds(80), milliseconds(500), milliseconds(520)}));
}

}  // namespace
}  // namespace stillframe::evaluate
