#include "save/precopy_pace.h"

#include <gtest/gtest.h>

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Verdict = PrecopyPace::Verdict;

TEST(PrecopyPace, APauseThatFitsEndsTheRounds) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(pace.AfterRound(milliseconds(400)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(20)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(1)), Verdict::kFits);
  EXPECT_EQ(pace.rounds(), 3u);
}

TEST(PrecopyPace, AQuietTargetNeedsOneRound) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(pace.AfterRound(microseconds(200)), Verdict::kFits);
}

TEST(PrecopyPace, RoundsThatDontShortenThePauseEnd) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(pace.AfterRound(milliseconds(100)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(95)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(102)), Verdict::kNoUse);
}

TEST(PrecopyPace, OneRoundThatDoesCountsAgain) {
  PrecopyPace pace(milliseconds(1));
  for (const int pause : {100, 99, 60, 59}) {
    EXPECT_EQ(pace.AfterRound(milliseconds(pause)), Verdict::kGoOn) << pause;
  }
  EXPECT_EQ(pace.AfterRound(milliseconds(58)), Verdict::kNoUse);
}

TEST(PrecopyPace, APauseThatGrowsAndShrinksAgainIsNoProgress) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(pace.AfterRound(milliseconds(50)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(100)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(60)), Verdict::kNoUse);
}

TEST(PrecopyPace, NoTargetMakesMoreRoundsThanTheBound) {
  PrecopyPace pace(Duration(1));
  Duration pause = std::chrono::hours(1);
  uint64_t rounds = 1;
  while (pace.AfterRound(pause) == Verdict::kGoOn) {
    pause = pause * 3 / 4;
    ASSERT_LT(++rounds, 100u);
  }
  EXPECT_EQ(rounds, PrecopyPace::kMostRounds);
  EXPECT_EQ(pace.AfterRound(pause), Verdict::kTooMany);
}

}  // namespace
}  // namespace stillframe
