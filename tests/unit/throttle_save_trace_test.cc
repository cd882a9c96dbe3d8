#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "stillframe/save_trace.h"
#include "throttle/off_policy.h"
#include "throttle/recording_policy.h"

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

SaveTrace Sample() {
  SaveTrace trace;
  trace.throttle.policy = "ramp";
  trace.throttle.poll_count = 7;
  trace.stage_size = MiB(32);
  trace.max_bandwidth = MiB(100);
  trace.present = Pages{17};
  trace.length = milliseconds(90);
  trace.counters = {.triggers = 3, .polls = 2, .forced = 1};
  trace.ranges = {{{0x1000}, {0x5000}}, {{0x7fff'f000}, {0x8000'2000}}};
  trace.faults = {{.arrival = microseconds(5), .wait = microseconds(17), .address = {0x2000}},
                  {.arrival = microseconds(9),
                   .wait = seconds(1),
                   .address = {0x8000'0000},
                   .finished = false}};
  trace.looks = {{.at = microseconds(1), .stage_used = MiB(1), .sent = Bytes{0}, .scanned = {}},
                 {.at = milliseconds(2),
                  .stage_used = MiB(2),
                  .sent = MiB(3),
                  .scanned = Pages{64},
                  .held = true},
                 {.at = milliseconds(4),
                  .stage_used = MiB(4),
                  .sent = MiB(5),
                  .scanned = Pages{64},
                  .no_room = true}};
  trace.faults_left_out = 4;
  return trace;
}

TEST(SaveTraceTest, WhatIsWrittenIsReadBack) {
  const SaveTrace before = Sample();
  const auto after = DecodeTrace(EncodeTrace(before));
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->throttle.policy, "ramp");
  EXPECT_EQ(after->throttle.poll_count, 7u);
  EXPECT_EQ(after->stage_size, before.stage_size);
  EXPECT_EQ(after->max_bandwidth, before.max_bandwidth);
  EXPECT_EQ(after->present, before.present);
  EXPECT_EQ(after->length, before.length);
  EXPECT_EQ(after->counters.forced, 1u);
  EXPECT_EQ(after->ranges, before.ranges);
  EXPECT_EQ(after->faults, before.faults);
  EXPECT_EQ(after->looks, before.looks);
  EXPECT_EQ(after->faults_left_out, 4u);
  EXPECT_EQ(EncodeTrace(*after), EncodeTrace(before));
}

TEST(SaveTraceTest, ATraceThatIsCutOffAnywhereIsRefused) {
  const std::string text = EncodeTrace(Sample());
  for (size_t n = 0; n < text.size(); ++n) {
    const auto trace = DecodeTrace(text.substr(0, n));
    ASSERT_FALSE(trace) << n;
    EXPECT_EQ(trace.error().code, ErrorCode::kDamaged);
  }
}

TEST(SaveTraceTest, AMissingLineIsNoticed) {
  const std::string text = EncodeTrace(Sample());
  for (const char* kind : {"fault", "look", "range"}) {
    std::string without = text;
    const size_t at = without.find(std::string("\n") + kind) + 1;
    without.erase(at, without.find('\n', at) + 1 - at);
    EXPECT_FALSE(DecodeTrace(without)) << kind;
  }
}

TEST(SaveTraceTest, WhatIsNoTraceIsRefusedWithTheLineThatShowsIt) {
  const std::string head = "stillframe-trace 1\n";
  const std::vector<std::string> bad = {"stillframe-trace 2\nend 0 0 0 0 0\n",
                                        head + "policy Sk/ip\n",
                                        head + "policy \n",
                                        head + "stage -1\n",
                                        head + "stage 18446744073709551616\n",
                                        head + "stage 1 2\n",
                                        head + "stage 1 2 3 4 5 6 7 8\n",
                                        head + "weather 1\n",
                                        head + "range 2000 1000\n",
                                        head + "range 1001 2000\n",
                                        head + "range 1000 3000\nrange 2000 4000\n",
                                        head + "fault 1 2 1000 2\n",
                                        head + "fault 1 4611686018427387904 1000 1\n",
                                        head + "look 1 2 3 4 sleep\n",
                                        head + "look 2 0 0 0 push\nlook 1 0 0 0 push\n",
                                        head + "end 0 0 0 0 0\nstage 1\n",
                                        head + "\n"};
  for (const std::string& text : bad) {
    const auto trace = DecodeTrace(text);
    ASSERT_FALSE(trace) << text;
    EXPECT_EQ(trace.error().code, ErrorCode::kDamaged);
  }
  EXPECT_NE(DecodeTrace(head + "stage x\n").error().message.find("line 2"), std::string::npos);
}

TEST(SaveTraceTest, BytesChangedAtRandomAreReadOrRefusedButNeverTakenForMore) {
  const std::string text = EncodeTrace(Sample());
  std::mt19937_64 random(1);
  size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = text;
    for (uint64_t n = 1 + random() % 3; n > 0; --n) {
      changed[random() % changed.size()] = static_cast<char>(random() % 256);
    }
    const auto trace = DecodeTrace(changed);
    refused += trace ? 0 : 1;
    if (!trace) continue;
    EXPECT_EQ(trace->faults.size(), 2u);
    // What was read can be written and read again.
    EXPECT_TRUE(DecodeTrace(EncodeTrace(*trace)));
  }
  EXPECT_GT(refused, 10'000u);
}

class RecordingPolicyTest : public testing::Test {
 protected:
  RecordingPolicyTest() { trace_.start = TimePoint(seconds(50)); }

  ThrottleSample At(Duration since_start, std::vector<FaultSeen>& faults, uint64_t pushed = 0) {
    return {.now = trace_.start + since_start,
            .faults = faults,
            .pushed = Pages{pushed},
            .stage_used = MiB(1),
            .stage_size = MiB(64),
            .sent = MiB(2)};
  }
  FaultSeen Fault(uint64_t number, Duration arrival, Duration wait, bool finished) const {
    return {.number = number,
            .address = {0x1000 * number},
            .arrival = trace_.start + arrival,
            .wait = wait,
            .finished = finished};
  }

  SaveTrace trace_;
  std::unique_ptr<ThrottlePolicy> policy_ = RecordInto(&trace_, std::make_unique<OffPolicy>());
  std::vector<FaultSeen> none_;
};

TEST_F(RecordingPolicyTest, DecidesAsThePolicyBehindItDoes) {
  EXPECT_EQ(policy_->name(), "off");
  EXPECT_GT(policy_->Decide(At(milliseconds(1), none_)).push.count, 0u);
}

TEST_F(RecordingPolicyTest, WithoutATraceThereIsNothingInBetween) {
  auto bare = std::make_unique<OffPolicy>();
  const ThrottlePolicy* before = bare.get();
  EXPECT_EQ(RecordInto(nullptr, std::move(bare)).get(), before);
}

TEST_F(RecordingPolicyTest, AFaultIsNotedOnceWithItsFinalWait) {
  std::vector<FaultSeen> faults = {Fault(3, milliseconds(1), microseconds(100), false)};
  policy_->Decide(At(milliseconds(2), faults));
  faults = {Fault(3, milliseconds(1), microseconds(250), true)};
  policy_->Observe(At(milliseconds(3), faults));
  ASSERT_EQ(trace_.faults.size(), 1u);
  EXPECT_EQ(trace_.faults[0].arrival, milliseconds(1));
  EXPECT_EQ(trace_.faults[0].wait, microseconds(250));
  EXPECT_EQ(trace_.faults[0].address.value, 0x3000u);
  EXPECT_TRUE(trace_.faults[0].finished);
}

TEST_F(RecordingPolicyTest, AFaultThatNeverEndedIsNotedWhenTheSaveIsOver) {
  std::vector<FaultSeen> faults = {Fault(3, milliseconds(1), seconds(1), false)};
  policy_->Decide(At(seconds(2), faults));
  EXPECT_TRUE(trace_.faults.empty());
  policy_.reset();
  ASSERT_EQ(trace_.faults.size(), 1u);
  EXPECT_FALSE(trace_.faults[0].finished);
}

TEST_F(RecordingPolicyTest, AFaultFromBeforeTheStartCountsAsArrivedThen) {
  std::vector<FaultSeen> faults = {Fault(0, -milliseconds(1), milliseconds(2), true)};
  policy_->Decide(At(milliseconds(1), faults));
  EXPECT_EQ(trace_.faults[0].arrival, Duration(0));
}

TEST_F(RecordingPolicyTest, LooksThatSayTheSameAreKeptApart) {
  for (int i = 0; i < 1000; ++i) policy_->Decide(At(microseconds(100) * i, none_, 2));
  EXPECT_EQ(trace_.looks.size(), 200u);
  EXPECT_EQ(trace_.looks.back().scanned.count, 2u * 996);
  EXPECT_EQ(trace_.length, microseconds(99'900));
  // What says something else is kept sooner, but not at once either.
  policy_->Observe(At(microseconds(99'950), none_));
  EXPECT_EQ(trace_.looks.back().no_room, true);
  policy_->Decide(At(microseconds(99'960), none_));
  EXPECT_EQ(trace_.looks.back().no_room, true);
  policy_->Decide(At(microseconds(100'020), none_));
  EXPECT_EQ(trace_.looks.back().no_room, false);
  EXPECT_EQ(trace_.looks.size(), 202u);
}

TEST_F(RecordingPolicyTest, TooManyLooksAreThinnedOutOverTheWholeOfTheSave) {
  const uint64_t looks = SaveTrace::kMostLooks * 5;
  for (uint64_t i = 0; i < looks; ++i) {
    policy_->Decide(At(microseconds(500) * static_cast<int64_t>(i), none_));
  }
  EXPECT_LE(trace_.looks.size(), SaveTrace::kMostLooks);
  EXPECT_GT(trace_.looks.size(), SaveTrace::kMostLooks / 2);
  EXPECT_EQ(trace_.looks.front().at, Duration(0));
  const Duration apart = trace_.look_interval;
  EXPECT_EQ(apart, milliseconds(4));
  EXPECT_GE(trace_.looks.back().at + apart, microseconds(500) * static_cast<int64_t>(looks - 1));
}

TEST_F(RecordingPolicyTest, FaultsBeyondTheBoundAreCounted) {
  trace_.faults.resize(SaveTrace::kMostFaults - 1);
  std::vector<FaultSeen> faults = {Fault(0, seconds(1), seconds(0), true),
                                   Fault(1, seconds(1), seconds(0), true),
                                   Fault(2, seconds(1), seconds(0), true)};
  policy_->Decide(At(seconds(1), faults));
  EXPECT_EQ(trace_.faults.size(), SaveTrace::kMostFaults);
  EXPECT_EQ(trace_.faults_left_out, 2u);
}

}  // namespace
}  // namespace stillframe
