#include "save/tracker_spin.h"

#include <gtest/gtest.h>

namespace stillframe {
namespace {

using std::chrono::microseconds;

constexpr TimePoint kStart{std::chrono::hours(1)};

TEST(TrackerSpinTest, BlockNeverSpinsAndNeverLooks) {
  TrackerSpin spin(TrackerWait::kBlock, 64);
  spin.OnFault(kStart);
  EXPECT_FALSE(spin.WantsLook(kStart));
  spin.OnLook(kStart, 1);
  EXPECT_FALSE(spin.Spins(kStart, true));
}

TEST(TrackerSpinTest, SpinSleepsOnlyWhereNothingIsArmed) {
  TrackerSpin spin(TrackerWait::kSpin, 2);
  EXPECT_FALSE(spin.WantsLook(kStart));
  EXPECT_TRUE(spin.Spins(kStart, true));
  EXPECT_FALSE(spin.Spins(kStart, false));
}

TEST(TrackerSpinTest, AutoSleepsUntilTheFirstFault) {
  TrackerSpin spin(TrackerWait::kAuto, 4);
  EXPECT_FALSE(spin.WantsLook(kStart));
  EXPECT_FALSE(spin.Spins(kStart, true));
}

TEST(TrackerSpinTest, AutoSpinsForAMomentAfterAFaultWhileACpuIsIdle) {
  TrackerSpin spin(TrackerWait::kAuto, 4);
  spin.OnFault(kStart);
  ASSERT_TRUE(spin.WantsLook(kStart));
  EXPECT_FALSE(spin.Spins(kStart, true)) << "before it has looked";
  spin.OnLook(kStart, 4);
  EXPECT_TRUE(spin.Spins(kStart, true));
  EXPECT_FALSE(spin.Spins(kStart, false)) << "with nothing armed";
  EXPECT_TRUE(spin.Spins(kStart + TrackerSpin::kAfterFault - microseconds(1), true));
  EXPECT_FALSE(spin.Spins(kStart + TrackerSpin::kAfterFault, true));
}

TEST(TrackerSpinTest, AutoSleepsWhileMoreWantToRunThanThereAreCpus) {
  TrackerSpin spin(TrackerWait::kAuto, 4);
  spin.OnFault(kStart);
  spin.OnLook(kStart, 5);
  EXPECT_FALSE(spin.Spins(kStart, true));
  // It looks again, though not at each fault.
  spin.OnFault(kStart + TrackerSpin::kLookHolds);
  EXPECT_FALSE(spin.WantsLook(kStart + TrackerSpin::kLookHolds));
  const TimePoint later = kStart + TrackerSpin::kLookHolds + microseconds(1);
  EXPECT_TRUE(spin.WantsLook(later));
  spin.OnLook(later, 2);
  EXPECT_TRUE(spin.Spins(later, true));
}

TEST(TrackerSpinTest, AutoSleepsWhereNobodyKnowsHowManyWantToRun) {
  TrackerSpin spin(TrackerWait::kAuto, 4);
  spin.OnFault(kStart);
  spin.OnLook(kStart, 0);
  EXPECT_FALSE(spin.Spins(kStart, true));
}

TEST(TrackerSpinTest, AutoNeverSpinsOnTheOnlyCpu) {
  TrackerSpin spin(TrackerWait::kAuto, 1);
  spin.OnFault(kStart);
  EXPECT_FALSE(spin.WantsLook(kStart));
  EXPECT_FALSE(spin.Spins(kStart, true));
}

}  // namespace
}  // namespace stillframe
