#include "fault/fault_log.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace stillframe {
namespace {

using std::chrono::milliseconds;

constexpr TargetAddress kPage{0x7000};

TimePoint At(int ms) { return TimePoint(milliseconds(1'000'000 + ms)); }

TEST(FaultLogTest, AWaitingFaultIsSeenEachTimeAndAnEndedOneOnce) {
  FaultLog log;
  FaultRecord* first = log.Arrive(kPage, At(0));
  FaultRecord* second = log.Arrive(kPage, At(1));
  log.End(second, At(3));

  auto seen = log.Collect(At(10));
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].number, 0u);
  EXPECT_EQ(seen[0].address, kPage);
  EXPECT_FALSE(seen[0].finished);
  EXPECT_EQ(seen[0].wait, milliseconds(10));
  EXPECT_EQ(seen[1].number, 1u);
  EXPECT_TRUE(seen[1].finished);
  EXPECT_EQ(seen[1].wait, milliseconds(2));

  seen = log.Collect(At(12));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].wait, milliseconds(12));

  log.End(first, At(15));
  seen = log.Collect(At(20));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].finished);
  EXPECT_EQ(seen[0].wait, milliseconds(15));
  EXPECT_TRUE(log.Collect(At(21)).empty());
}

TEST(FaultLogTest, RecordsAreUsedAgain) {
  FaultLog log;
  for (size_t i = 0; i < 3 * FaultLog::kRecords; ++i) {
    FaultRecord* record = log.Arrive(kPage, At(0));
    ASSERT_NE(record, nullptr) << i;
    log.End(record, At(1));
    ASSERT_EQ(log.Collect(At(2)).size(), 1u);
  }
  EXPECT_EQ(log.unrecorded(), 0u);
}

TEST(FaultLogTest, AnEmptyPoolCountsWhatItCantRecord) {
  FaultLog log;
  for (size_t i = 0; i < FaultLog::kRecords; ++i) ASSERT_NE(log.Arrive(kPage, At(0)), nullptr);
  FaultRecord* record = log.Arrive(kPage, At(0));
  EXPECT_EQ(record, nullptr);
  log.End(record, At(1));  // harmless
  EXPECT_EQ(log.unrecorded(), 1u);
  EXPECT_EQ(log.arrivals(), FaultLog::kRecords + 1);
}

TEST(FaultLogTest, AnArrivalEndsAWaitAndIsReportedOnce) {
  FaultLog log;
  EXPECT_FALSE(log.WaitForArrival(Duration(1)));
  log.Arrive(kPage, At(0));
  EXPECT_TRUE(log.WaitForArrival(Duration(0)));
  EXPECT_FALSE(log.WaitForArrival(Duration(1)));
  std::thread tracker([&] { log.Arrive(kPage, At(1)); });
  EXPECT_TRUE(log.WaitForArrival(std::chrono::hours(1)));
  tracker.join();
}

TEST(FaultLogTest, EveryFaultOfABusyTrackerIsSeenOnceAsEnded) {
  FaultLog log;
  constexpr uint64_t kFaults = 50'000;
  std::thread tracker([&] {
    for (uint64_t i = 0; i < kFaults;) {
      FaultRecord* record = log.Arrive(kPage, At(0));
      if (record == nullptr) continue;
      log.End(record, At(1));
      ++i;
    }
  });
  uint64_t ended = 0;
  while (ended < kFaults) {
    for (const FaultSeen& fault : log.Collect(At(2))) ended += fault.finished ? 1 : 0;
  }
  tracker.join();
  EXPECT_EQ(ended, kFaults);
  EXPECT_TRUE(log.Collect(At(3)).empty());
}

}  // namespace
}  // namespace stillframe
