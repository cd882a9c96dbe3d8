#include <gtest/gtest.h>

#include <vector>

#include "stillframe/throttle.h"
#include "throttle/off_policy.h"
#include "throttle/skip_policy.h"

namespace stillframe {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Reason = ThrottleSample::Reason;

// A saver that lives in simulated time.
class SkipPolicyTest : public testing::Test {
 protected:
  static constexpr uint64_t kPolls = 200;

  // Asks the policy now, showing it `faults`.
  ThrottleDecision Ask(Reason reason, std::vector<FaultSeen> faults = {}) {
    return policy_.Decide({.now = now_, .faults = faults, .reason = reason});
  }
  static FaultSeen Ended(uint64_t number, Duration wait) {
    return {.number = number, .arrival = {}, .wait = wait, .finished = true};
  }
  static FaultSeen Waiting(uint64_t number, Duration wait) {
    return {.number = number, .arrival = {}, .wait = wait, .finished = false};
  }
  // Polls that run out, until the policy pushes; returns how many there were. Time stands still
  // unless `each` is given.
  uint64_t PollUntilPush(Duration each = Duration(0)) {
    for (uint64_t polls = 1;; ++polls) {
      now_ += each;
      if (Ask(Reason::kPollTimeout).push.count > 0) return polls;
      if (polls > 1'000'000) return polls;
    }
  }

  TimePoint now_{seconds(1000)};
  SkipPolicy policy_{ThrottleOptions{}};
};

TEST_F(SkipPolicyTest, PushesWhileNoFaultIsSlow) {
  EXPECT_GT(Ask(Reason::kFirst).push.count, 0u);
  EXPECT_GT(Ask(Reason::kPushed, {Ended(0, milliseconds(4))}).push.count, 0u);
  EXPECT_EQ(policy_.counters().triggers, 0u);
}

TEST_F(SkipPolicyTest, ALimitThatIsJustReachedIsNotBroken) {
  EXPECT_GT(Ask(Reason::kPushed, {Ended(0, milliseconds(5))}).push.count, 0u);
  EXPECT_EQ(Ask(Reason::kPushed, {Ended(1, milliseconds(5) + Duration(1))}).push.count, 0u);
}

TEST_F(SkipPolicyTest, ASlowFaultHoldsTheScanBackForTwoHundredPolls) {
  const ThrottleDecision held = Ask(Reason::kPushed, {Ended(0, milliseconds(6))});
  EXPECT_EQ(held.push.count, 0u);
  EXPECT_EQ(held.poll, milliseconds(5));
  EXPECT_EQ(PollUntilPush(), kPolls);
  EXPECT_EQ(policy_.counters().triggers, 1u);
  EXPECT_EQ(policy_.counters().polls, kPolls);
}

TEST_F(SkipPolicyTest, AnIterationEndsWithAFaultAsWellAsWithTime) {
  Ask(Reason::kPushed, {Ended(0, milliseconds(6))});
  for (uint64_t i = 1; i < kPolls; ++i) {
    EXPECT_EQ(Ask(i % 2 == 0 ? Reason::kPollFault : Reason::kPollTimeout).push.count, 0u);
  }
  EXPECT_GT(Ask(Reason::kPollFault).push.count, 0u);
}

TEST_F(SkipPolicyTest, ANewSlowFaultSetsTheCountAnew) {
  Ask(Reason::kPushed, {Ended(0, milliseconds(6))});
  for (int i = 0; i < 150; ++i) Ask(Reason::kPollTimeout);
  EXPECT_EQ(Ask(Reason::kPollFault, {Ended(1, milliseconds(7))}).push.count, 0u);
  EXPECT_EQ(PollUntilPush(), kPolls);
  EXPECT_EQ(policy_.counters().triggers, 2u);
}

TEST_F(SkipPolicyTest, AFaultThatStillWaitsCountsOnce) {
  EXPECT_EQ(Ask(Reason::kPushed, {Waiting(7, milliseconds(6))}).push.count, 0u);
  for (int i = 0; i < 50; ++i) Ask(Reason::kPollTimeout, {Waiting(7, milliseconds(6 + i))});
  Ask(Reason::kPollTimeout, {Ended(7, milliseconds(60))});
  EXPECT_EQ(policy_.counters().triggers, 1u);
  EXPECT_EQ(PollUntilPush(), kPolls - 51);
}

TEST_F(SkipPolicyTest, AFaultThatIsStillFastCountsOnceItIsSlow) {
  EXPECT_GT(Ask(Reason::kPushed, {Waiting(7, milliseconds(3))}).push.count, 0u);
  EXPECT_EQ(Ask(Reason::kPushed, {Ended(7, milliseconds(9))}).push.count, 0u);
  EXPECT_EQ(policy_.counters().triggers, 1u);
}

TEST_F(SkipPolicyTest, EachOfSeveralSlowFaultsCounts) {
  Ask(Reason::kPushed,
      {Ended(3, milliseconds(6)), Waiting(1, milliseconds(9)), Waiting(4, milliseconds(1))});
  EXPECT_EQ(policy_.counters().triggers, 2u);
}

TEST_F(SkipPolicyTest, AFaultThatEndedOutOfOrderCountsOnceAsWell) {
  Ask(Reason::kPushed, {Ended(9, milliseconds(6)), Waiting(2, milliseconds(8))});
  Ask(Reason::kPollTimeout, {Ended(2, milliseconds(11))});
  EXPECT_EQ(policy_.counters().triggers, 2u);
}

TEST_F(SkipPolicyTest, OneRunIsForcedAfterFiveSecondsWithoutAPage) {
  Ask(Reason::kPushed);
  for (int i = 0; i < 999; ++i) {
    now_ += milliseconds(5);
    ASSERT_EQ(
        Ask(Reason::kPollFault, {Ended(static_cast<uint64_t>(i), milliseconds(6))}).push.count, 0u)
        << i;
  }
  now_ += milliseconds(5);
  EXPECT_GT(Ask(Reason::kPollFault, {Ended(1000, milliseconds(6))}).push.count, 0u);
  EXPECT_EQ(policy_.counters().forced, 1u);
  // One run only: the count goes on behind it.
  EXPECT_EQ(Ask(Reason::kPushed).push.count, 0u);
  EXPECT_EQ(policy_.counters().forced, 1u);
}

TEST_F(SkipPolicyTest, APollNeverOutlastsTheForcedRun) {
  Ask(Reason::kPushed);
  now_ += seconds(5) - milliseconds(2);
  const ThrottleDecision held = Ask(Reason::kPollFault, {Ended(1, milliseconds(6))});
  EXPECT_EQ(held.poll, milliseconds(2));
}

TEST_F(SkipPolicyTest, ASaveThatIsSlowFromTheStartEndsToo) {
  uint64_t number = 0;
  uint64_t pushed = 0;
  Reason reason = Reason::kFirst;
  while (now_ < TimePoint(seconds(1100))) {
    const ThrottleDecision decision = Ask(reason, {Ended(number++, milliseconds(50))});
    reason = decision.push.count > 0 ? Reason::kPushed : Reason::kPollTimeout;
    pushed += decision.push.count > 0 ? 1 : 0;
    now_ += decision.poll;
  }
  EXPECT_EQ(pushed, 19u);
  EXPECT_EQ(policy_.counters().forced, 19u);
}

TEST(OffPolicyTest, PushesWhateverHappens) {
  OffPolicy policy;
  const FaultSeen slow{.number = 0, .arrival = {}, .wait = seconds(9), .finished = false};
  EXPECT_GT(policy.Decide({.now = {}, .faults = {&slow, 1}}).push.count, 0u);
  EXPECT_EQ(policy.counters().triggers, 0u);
}

TEST(MakeThrottlePolicyTest, KnowsItsPoliciesAndRefusesOthers) {
  for (const char* name : {"skip", "ramp", "adaptive", "off"}) {
    EXPECT_EQ((*MakeThrottlePolicy({.policy = name}))->name(), name);
  }
  EXPECT_EQ(MakeThrottlePolicy({.policy = "fast"}).error().code, ErrorCode::kUsage);
  EXPECT_EQ(MakeThrottlePolicy({.poll_count = 0}).error().code, ErrorCode::kUsage);
  EXPECT_EQ(MakeThrottlePolicy({.fault_limit = Duration(0)}).error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace stillframe
