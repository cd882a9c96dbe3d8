#include <gtest/gtest.h>

#include <vector>

#include "stillframe/throttle.h"
#include "throttle/ramp_policy.h"

namespace stillframe {
namespace {

constexpr Pages kStep = ToPages(KiB(64));

// A saver that pushes what it is let, in runs of at most 256 KiB.
class RampPolicyTest : public testing::Test {
 protected:
  static constexpr Pages kRun = ToPages(KiB(256));

  // Shows the policy what was pushed last, and `faults`; the next run.
  Pages Ask(std::vector<FaultSeen> faults = {}) {
    const ThrottleDecision decision = policy_.Decide({.now = {},
                                                      .faults = faults,
                                                      .reason = ThrottleSample::Reason::kPushed,
                                                      .pushed = pushed_});
    pushed_ = std::min(decision.push, kRun);
    return decision.push;
  }
  static FaultSeen Fault(uint64_t number, bool finished = true) {
    return {.number = number, .arrival = {}, .wait = Duration(1000), .finished = finished};
  }
  // The sizes of the next chunks, each pushed to its end.
  std::vector<uint64_t> Chunks(size_t count) {
    std::vector<uint64_t> sizes;
    Pages left{0};
    while (sizes.size() < count) {
      const Pages push = Ask();
      if (left.count == 0) {
        sizes.push_back(push.count / kStep.count);
        left = push;
      }
      EXPECT_EQ(push, left);
      left -= pushed_;
    }
    return sizes;
  }

  RampPolicy policy_;
  Pages pushed_;
};

TEST_F(RampPolicyTest, EachChunkIsOneStepLargerThanTheOneBefore) {
  EXPECT_EQ(Chunks(6), (std::vector<uint64_t>{1, 2, 3, 4, 5, 6}));
}

TEST_F(RampPolicyTest, AChunkLargerThanARunIsPushedInSeveral) {
  Chunks(6);  // ends with the first run of a chunk of six steps: 256 KiB of 384 KiB
  EXPECT_EQ(Ask(), kStep * 2);
  EXPECT_EQ(Ask(), kStep * 7);
}

TEST_F(RampPolicyTest, NoChunkIsLargerThanFourMebibytes) {
  const std::vector<uint64_t> sizes = Chunks(70);
  EXPECT_EQ(sizes[62], 63u);
  EXPECT_EQ(sizes[63], 64u);
  EXPECT_EQ(sizes[69], 64u);
}

TEST_F(RampPolicyTest, AFaultSetsTheChunkBackAtOnce) {
  Chunks(9);  // one run of the ninth is pushed
  EXPECT_EQ(Ask({Fault(0)}), kStep);
  EXPECT_EQ(Chunks(3), (std::vector<uint64_t>{2, 3, 4}));
  EXPECT_EQ(policy_.counters().triggers, 1u);
}

TEST_F(RampPolicyTest, AFaultThatWaitsCountsOnceWhenItComesAndNotWhenItEnds) {
  Chunks(3);
  EXPECT_EQ(Ask({Fault(5, false)}), kStep);
  EXPECT_EQ(Ask({Fault(5, false)}), kStep * 2);
  EXPECT_EQ(Ask({Fault(5, true)}), kStep * 3);
}

TEST_F(RampPolicyTest, FaultsOneAfterTheOtherKeepTheChunkSmallButNeverStopIt) {
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(Ask({Fault(i)}), kStep);
}

TEST_F(RampPolicyTest, NothingPushedGrowsNothing) {
  EXPECT_EQ(policy_.Decide({}).push, kStep);
  EXPECT_EQ(policy_.Decide({}).push, kStep);
}

}  // namespace
}  // namespace stillframe
