#include "save/precopy_pace.h"

#include <gtest/gtest.h>

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Verdict = PrecopyPace::Verdict;

// All of the pause is for copying.
Verdict After(PrecopyPace& pace, Duration pause) { return pace.AfterRound(pause, pause); }

TEST(PrecopyPace, APauseThatFitsEndsTheRounds) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(After(pace, milliseconds(400)), Verdict::kGoOn);
  EXPECT_EQ(After(pace, milliseconds(20)), Verdict::kGoOn);
  EXPECT_EQ(After(pace, milliseconds(1)), Verdict::kFits);
  EXPECT_EQ(pace.rounds(), 3u);
}

TEST(PrecopyPace, AQuietTargetNeedsOneRound) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(After(pace, microseconds(200)), Verdict::kFits);
}

TEST(PrecopyPace, WhatARoundCantSpareItIsNoReasonForOne) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(pace.AfterRound(milliseconds(10), milliseconds(2)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(6), microseconds(1199)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(4), microseconds(1)), Verdict::kNoUse);
}

TEST(PrecopyPace, OneLookThatWasHeldUpEndsNothing) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(pace.AfterRound(milliseconds(15), microseconds(100)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(microseconds(300), microseconds(100)), Verdict::kFits);
}

TEST(PrecopyPace, ARoundIsWorthItWhereItMakesThePauseFit) {
  PrecopyPace pace(milliseconds(20));
  EXPECT_EQ(pace.AfterRound(microseconds(20'500), microseconds(3'500)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(microseconds(20'500), microseconds(3'500)), Verdict::kGoOn);
  EXPECT_EQ(pace.AfterRound(milliseconds(17), microseconds(0)), Verdict::kFits);
}

TEST(PrecopyPace, RoundsThatDontShortenThePauseEnd) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(After(pace, milliseconds(100)), Verdict::kGoOn);
  EXPECT_EQ(After(pace, milliseconds(95)), Verdict::kGoOn);
  EXPECT_EQ(After(pace, milliseconds(102)), Verdict::kNoUse);
}

TEST(PrecopyPace, OneRoundThatDoesCountsAgain) {
  PrecopyPace pace(milliseconds(1));
  for (const int pause : {100, 99, 60, 59}) {
    EXPECT_EQ(After(pace, milliseconds(pause)), Verdict::kGoOn) << pause;
  }
  EXPECT_EQ(After(pace, milliseconds(58)), Verdict::kNoUse);
}

TEST(PrecopyPace, APauseThatGrowsAndShrinksAgainIsNoProgress) {
  PrecopyPace pace(milliseconds(1));
  EXPECT_EQ(After(pace, milliseconds(50)), Verdict::kGoOn);
  EXPECT_EQ(After(pace, milliseconds(100)), Verdict::kGoOn);
  EXPECT_EQ(After(pace, milliseconds(60)), Verdict::kNoUse);
}

TEST(PrecopyPace, NoTargetMakesMoreRoundsThanTheBound) {
  PrecopyPace pace(Duration(1));
  Duration pause = std::chrono::hours(1);
  uint64_t rounds = 1;
  while (After(pace, pause) == Verdict::kGoOn) {
    pause = pause * 3 / 4;
    ASSERT_LT(++rounds, 100u);
  }
  EXPECT_EQ(rounds, PrecopyPace::kMostRounds);
  EXPECT_EQ(After(pace, pause), Verdict::kTooMany);
}

}  // namespace
}  // namespace stillframe
