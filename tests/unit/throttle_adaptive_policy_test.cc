#include <gtest/gtest.h>

#include "stillframe/throttle.h"
#include "throttle/adaptive_policy.h"

namespace stillframe {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Reason = ThrottleSample::Reason;

constexpr Pages kSmallest = ToPages(KiB(64));

// A saver that lives in simulated time, with a stage of 64 MiB.
class AdaptivePolicyTest : public testing::Test {
 protected:
  ThrottleSample At(Bytes stage_used, Reason reason) const {
    return {.now = now_,
            .faults = {},
            .reason = reason,
            .stage_used = stage_used,
            .stage_size = MiB(64),
            .sent = sent_};
  }
  ThrottleDecision Ask(Bytes stage_used, Reason reason = Reason::kPushed) {
    return policy_.Decide(At(stage_used, reason));
  }
  // A second in which the output takes `rate` bytes a second and the scan waits for it for so many
  // of each 10 ms; the largest run afterwards.
  Pages RunAfter(Bytes rate, int waits_ms) {
    Pages push;
    for (int i = 0; i < 100; ++i) {
      now_ += milliseconds(10 - waits_ms);
      sent_ += rate / 1000 * static_cast<uint64_t>(10 - waits_ms);
      policy_.Observe(At(MiB(4), Reason::kPushed));
      now_ += milliseconds(waits_ms);
      sent_ += rate / 1000 * static_cast<uint64_t>(waits_ms);
      push = Ask(MiB(4)).push;
    }
    return push;
  }

  TimePoint now_{seconds(1000)};
  Bytes sent_;
  AdaptivePolicy policy_{ThrottleOptions{}};
};

TEST_F(AdaptivePolicyTest, PushesWhileTheStageHasRoom) {
  EXPECT_GT(Ask(MiB(0), Reason::kFirst).push, ToPages(MiB(1)));
  EXPECT_GT(Ask(MiB(47)).push, ToPages(MiB(1)));
  EXPECT_EQ(policy_.counters().triggers, 0u);
}

TEST_F(AdaptivePolicyTest, HoldsBackFromThreeQuartersOfTheStageUntilHalfOfItIsFree) {
  EXPECT_EQ(Ask(MiB(48)).push.count, 0u);
  EXPECT_EQ(Ask(MiB(40), Reason::kPollTimeout).push.count, 0u);
  EXPECT_EQ(Ask(MiB(33), Reason::kPollFault).push.count, 0u);
  EXPECT_GT(Ask(MiB(32), Reason::kPollFault).push.count, 0u);
  EXPECT_GT(Ask(MiB(47)).push.count, 0u);
  EXPECT_EQ(policy_.counters().triggers, 1u);
  EXPECT_EQ(policy_.counters().polls, 3u);
}

TEST_F(AdaptivePolicyTest, AFullStageIsNoticedWhileThereIsNoRoomForARun) {
  policy_.Observe(At(MiB(60), Reason::kPushed));
  EXPECT_EQ(Ask(MiB(40)).push.count, 0u);
}

TEST_F(AdaptivePolicyTest, OneRunIsForcedAfterFiveSecondsWithoutAPage) {
  Ask(MiB(0));
  now_ += seconds(5) - milliseconds(2);
  EXPECT_EQ(Ask(MiB(60)).poll, milliseconds(2));
  now_ += milliseconds(2);
  EXPECT_GT(Ask(MiB(60), Reason::kPollTimeout).push.count, 0u);
  EXPECT_EQ(policy_.counters().forced, 1u);
  EXPECT_EQ(Ask(MiB(60)).push.count, 0u);
}

TEST_F(AdaptivePolicyTest, ARunIsNoLargerThanWhatASlowOutputTakesInAFifthOfTheLimit) {
  struct Case {
    Bytes rate;
    Pages run;
  };
  // 5 ms is the limit, so 1 ms worth of pages.
  for (const Case& c : {Case{MiB(1), kSmallest}, Case{MiB(50), kSmallest}, Case{MiB(100), {25}},
                        Case{MiB(200), {51}}, Case{MiB(1000), {256}}}) {
    EXPECT_EQ(RunAfter(c.rate, 10), c.run) << c.rate.count;
  }
}

TEST_F(AdaptivePolicyTest, AnOutputThatWaitsForTheScanSaysNothingOfItsRate) {
  EXPECT_GT(RunAfter(MiB(1), 0), ToPages(MiB(1)));
}

TEST_F(AdaptivePolicyTest, AnOutputThatIsWaitedForNowAndThenIsNotTakenForASlowOne) {
  EXPECT_GT(RunAfter(MiB(1), 4), ToPages(MiB(1)));
  EXPECT_EQ(RunAfter(MiB(1), 6), kSmallest);
}

TEST_F(AdaptivePolicyTest, TheRateIsThatOfTheTimeInWhichItIsWaitedFor) {
  for (int i = 0; i < 100; ++i) {
    // 8 ms in which 800 KiB go out, and 2 ms without anything to send.
    policy_.Observe(At(MiB(4), Reason::kPushed));
    now_ += milliseconds(8);
    sent_ += KiB(800);
    Ask(MiB(4));
    now_ += milliseconds(2);
  }
  EXPECT_EQ(Ask(MiB(4)).push, ToPages(KiB(100)));
}

TEST_F(AdaptivePolicyTest, WhileItHoldsBackTheOutputIsWaitedForToo) {
  for (int i = 0; i < 60; ++i) {
    Ask(MiB(60), Reason::kPollTimeout);
    now_ += milliseconds(5);
    sent_ += KiB(5);
  }
  EXPECT_EQ(Ask(MiB(1), Reason::kPollTimeout).push, kSmallest);
}

TEST_F(AdaptivePolicyTest, RunsGrowAgainOnceTheOutputIsFast) {
  EXPECT_EQ(RunAfter(MiB(1), 10), kSmallest);
  EXPECT_GT(RunAfter(MiB(1), 0), ToPages(MiB(1)));
}

TEST_F(AdaptivePolicyTest, SlowFaultsAloneHoldNothingBack) {
  const FaultSeen slow{.number = 0, .arrival = {}, .wait = seconds(9), .finished = false};
  ThrottleSample sample = At(MiB(1), Reason::kPushed);
  sample.faults = {&slow, 1};
  EXPECT_GT(policy_.Decide(sample).push.count, 0u);
}

}  // namespace
}  // namespace stillframe
