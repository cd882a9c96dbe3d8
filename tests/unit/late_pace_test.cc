#include "save/late_pace.h"

#include <gtest/gtest.h>

namespace stillframe {
namespace {

constexpr Pages kMemory = ToPages(GiB(8));
constexpr Bytes kStage = MiB(64);

TEST(LatePace, FewPagesEndTheRounds) {
  LatePace pace(kMemory, kStage);
  EXPECT_TRUE(pace.IsWorthRound(kMemory));
  EXPECT_TRUE(pace.IsWorthRound(Pages{20'000}));
  EXPECT_FALSE(pace.IsWorthRound(Pages{900}));
  EXPECT_EQ(pace.rounds(), 2u);
}

TEST(LatePace, FewAreAPartOfTheStage) {
  EXPECT_EQ(LatePace(kMemory, kStage).few(), ToPages(MiB(4)));
  EXPECT_EQ(LatePace(kMemory, MiB(16)).few(), ToPages(MiB(1)));
}

TEST(LatePace, FewAreAPartOfTheMemory) {
  EXPECT_EQ(LatePace(ToPages(MiB(256)), kStage).few(), ToPages(MiB(2)));
}

TEST(LatePace, OfLittleMemoryARoundIsStillWorthIt) {
  LatePace pace(ToPages(MiB(1)), kStage);
  EXPECT_TRUE(pace.IsWorthRound(ToPages(MiB(1))));
  EXPECT_FALSE(pace.IsWorthRound(Pages{64}));
}

TEST(LatePace, NothingToCopyIsNotWorthARound) {
  LatePace pace(Pages{0}, kStage);
  EXPECT_FALSE(pace.IsWorthRound(Pages{0}));
}

TEST(LatePace, RoundsThatDontHelpEnd) {
  LatePace pace(kMemory, kStage);
  EXPECT_TRUE(pace.IsWorthRound(kMemory));
  EXPECT_TRUE(pace.IsWorthRound(Pages{1'000'000}));
  EXPECT_TRUE(pace.IsWorthRound(Pages{900'000}));  // hardly less
  EXPECT_FALSE(pace.IsWorthRound(Pages{950'000}));
  EXPECT_EQ(pace.rounds(), 3u);
}

TEST(LatePace, NoTargetMakesMoreRoundsThanTheBound) {
  LatePace pace(kMemory, kStage);
  Pages missing{uint64_t{1} << 40};
  uint64_t rounds = 0;
  while (pace.IsWorthRound(missing)) {
    missing.count = missing.count * 3 / 4;
    ASSERT_LT(++rounds, 100u);
  }
  EXPECT_EQ(rounds, LatePace::kMostRounds);
}

}  // namespace
}  // namespace stillframe
