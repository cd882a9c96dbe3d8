#include "evaluate/simulator/simulator.h"

#include <gtest/gtest.h>

#include <string>

#include "throttle/off_policy.h"
#include "throttle/ramp_policy.h"
#include "throttle/recording_policy.h"
#include "throttle/skip_policy.h"

namespace stillframe::evaluate {
namespace {

using End = SimulatorReport::End;
using Pattern = WorkloadModel::Pattern;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

SimulatorSetup SetupOf(Pattern pattern, double rate = 0) {
  SimulatorSetup setup;
  setup.memory = MiB(64);
  setup.workload.name = "test";
  setup.workload.pattern = pattern;
  setup.workload.rate = rate;
  return setup;
}

SimulatorReport SimulateOff(const SimulatorSetup& setup) {
  OffPolicy off;
  const auto report = Simulate(setup, off);
  EXPECT_TRUE(report) << report.error().message;
  return report.value_or(SimulatorReport{});
}

// Pushes nothing, and would poll for an hour.
class NeverPolicy final : public ThrottlePolicy {
 public:
  std::string_view name() const override { return "never"; }
  void Observe(const ThrottleSample&) override {}
  ThrottleDecision Decide(const ThrottleSample&) override {
    return {.push = Pages{0}, .poll = hours(1)};
  }
  ThrottleCounters counters() const override { return {}; }
};

TEST(SimulatorTest, EveryPageIsSavedOnceByScanOrFault) {
  for (const Pattern pattern :
       {Pattern::kIdle, Pattern::kUniform, Pattern::kSkewed, Pattern::kSequential}) {
    const SimulatorReport report = SimulateOff(SetupOf(pattern));
    EXPECT_EQ(report.end, End::kDone);
    EXPECT_EQ(report.scanned + report.faulted, ToPages(MiB(64)).count);
    EXPECT_EQ(report.faulted > 0, pattern != Pattern::kIdle);
    EXPECT_GE(report.wait.count, report.faulted);
  }
}

TEST(SimulatorTest, TheSameSeedGivesTheSameReportAndAnotherOneAnother) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform);
  const SimulatorReport first = SimulateOff(setup);
  const SimulatorReport again = SimulateOff(setup);
  EXPECT_EQ(first.duration, again.duration);
  EXPECT_EQ(first.faulted, again.faulted);
  EXPECT_EQ(first.wait.max, again.wait.max);
  EXPECT_EQ(first.events, again.events);
  setup.seed = 2;
  EXPECT_NE(SimulateOff(setup).duration, first.duration);
}

TEST(SimulatorTest, AnIdleTargetTakesAsLongAsTheScanOrAsTheOutput) {
  SimulatorSetup setup = SetupOf(Pattern::kIdle);
  const MachineModel& m = setup.machine;
  const auto runs = static_cast<int64_t>(MiB(64).count / KiB(256).count);
  const Duration scan = runs * (m.scan_call + 64 * m.scan_page);
  EXPECT_GE(SimulateOff(setup).duration, scan);
  EXPECT_LE(SimulateOff(setup).duration, scan + milliseconds(2));

  setup.output = ConstantOutput("slow", 64.0 * (1 << 20));  // a second's worth
  setup.output.buffer = {};
  EXPECT_GE(SimulateOff(setup).duration, seconds(1));
  EXPECT_LE(SimulateOff(setup).duration, seconds(1) + milliseconds(20));
}

TEST(SimulatorTest, AWriterThatWaitsWritesNothing) {
  // Two writers and a page for each write: no more of them than round trips fit in.
  SimulatorSetup setup = SetupOf(Pattern::kUniform);
  setup.output = ConstantOutput("slow", 10e6);
  const SimulatorReport report = SimulateOff(setup);
  const double seconds_passed = std::chrono::duration<double>(report.duration).count();
  EXPECT_LT(static_cast<double>(report.wait.count), 2 * seconds_passed / 70e-6);
  EXPECT_LT(report.kept, 0.95);
  EXPECT_GT(report.lost_seconds, 0);
}

TEST(SimulatorTest, APacedWriterMakesUpForWhatItWaited) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform, 2000);
  setup.output = ConstantOutput("slow", 64e6);
  EXPECT_GT(SimulateOff(setup).kept, 0.99);
}

TEST(SimulatorTest, BurstsFaultOnlyWhileTheyLast) {
  SimulatorSetup always = SetupOf(Pattern::kUniform, 2000);
  always.output = ConstantOutput("slow", 16e6);
  SimulatorSetup bursts = always;
  bursts.workload.burst = milliseconds(100);
  bursts.workload.period = milliseconds(1000);
  const double share = static_cast<double>(SimulateOff(bursts).faulted) /
                       static_cast<double>(SimulateOff(always).faulted);
  EXPECT_GT(share, 0.05);
  EXPECT_LT(share, 0.2);
}

TEST(SimulatorTest, PopularPagesFaultFirstSoThatASkewedTargetFaultsLess) {
  SimulatorSetup uniform = SetupOf(Pattern::kUniform, 20'000);
  uniform.output = ConstantOutput("slow", 64e6);
  SimulatorSetup skewed = uniform;
  skewed.workload.pattern = Pattern::kSkewed;
  EXPECT_LT(SimulateOff(skewed).faulted * 2, SimulateOff(uniform).faulted);
}

TEST(SimulatorTest, AnOutputThatStallsFillsASmallStageAndWritersWaitForIt) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform);
  setup.memory = MiB(256);
  setup.workload.writers = 8;
  setup.machine.cpus = 8;
  setup.stage = MiB(1);
  setup.output = StallingOutput("stall", 200e6, milliseconds(50), milliseconds(250));
  const SimulatorReport report = SimulateOff(setup);
  EXPECT_GT(report.stage_full, 0u);
  EXPECT_GT(report.late, 0u);
  EXPECT_GT(report.wait.max, 20'000u);
  EXPECT_LE(report.stage_peak, MiB(1));
  setup.stage = MiB(512);
  EXPECT_EQ(SimulateOff(setup).stage_full, 0u);
}

TEST(SimulatorTest, FaultedPagesGoOutBeforeScannedOnes) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform, 500);
  setup.stage = MiB(1);  // 128 slots, which a scan that came first would leave full for good
  setup.output = ConstantOutput("slow", 10e6);
  const SimulatorReport report = SimulateOff(setup);
  EXPECT_GT(report.faulted, 500u);
  EXPECT_EQ(report.stage_full, 0u);
}

TEST(SimulatorTest, AWaitBeyondTheLongestStallEndsTheSave) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform);
  setup.stage = MiB(1);
  setup.output = StallingOutput("dead", 100e6, hours(1) - milliseconds(50), hours(1));
  EXPECT_EQ(SimulateOff(setup).end, End::kMaxStall);
}

TEST(SimulatorTest, AnOutputThatFailsEndsTheSave) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform);
  setup.output = ConstantOutput("failing", 10e6);
  setup.output.fails_at = seconds(2);
  const SimulatorReport report = SimulateOff(setup);
  EXPECT_EQ(report.end, End::kOutputFailed);
  EXPECT_GE(report.duration, seconds(2));
}

TEST(SimulatorTest, APolicyThatNeverPushesLeavesAllPagesToTheWriters) {
  SimulatorSetup setup = SetupOf(Pattern::kSequential);
  NeverPolicy never;
  const auto report = Simulate(setup, never);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->end, End::kDone);
  EXPECT_EQ(report->scanned, 0u);
  EXPECT_EQ(report->faulted, ToPages(MiB(64)).count);
}

TEST(SimulatorTest, APolicyThatNeverPushesAnIdleTargetIsEndedAtTheLongestTime) {
  SimulatorSetup setup = SetupOf(Pattern::kIdle);
  setup.longest = seconds(10);
  NeverPolicy never;
  EXPECT_EQ(Simulate(setup, never)->end, End::kTooLong);
}

TEST(SimulatorTest, SkipSeesTheSlowFaultsThatTheSimulatorMakes) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform);
  setup.memory = MiB(256);
  setup.workload.writers = 8;
  setup.machine.cpus = 8;
  setup.stage = MiB(1);
  setup.output = StallingOutput("stall", 200e6, milliseconds(50), milliseconds(250));
  SkipPolicy skip{ThrottleOptions{}};
  const auto report = Simulate(setup, skip);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->end, End::kDone);
  EXPECT_GT(report->throttle.triggers, 0u);
  EXPECT_GT(report->throttle.polls, 0u);
}

TEST(SimulatorTest, OtherProgramsOnTheCpusMakeASaveLonger) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform, 2000);
  setup.machine.cpus = 1;
  const Duration alone = SimulateOff(setup).duration;
  setup.machine.others = 8;
  EXPECT_GT(SimulateOff(setup).duration, 2 * alone);
}

TEST(SimulatorTest, WhatCopiesIntoAPipeAndReadsFromItTakesCpuTime) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform);
  setup.output = ConstantOutput("fast", 100e9);
  const Duration without = SimulateOff(setup).duration;
  setup.output = ThroughPipe(setup.output);
  EXPECT_GT(SimulateOff(setup).duration, without);
}

TEST(SimulatorTest, ASetupOutsideItsRangesIsRefused) {
  OffPolicy off;
  SimulatorSetup good = SetupOf(Pattern::kUniform);
  const auto refused = [&off](const SimulatorSetup& setup) {
    const auto report = Simulate(setup, off);
    return !report && report.error().code == ErrorCode::kUsage;
  };
  EXPECT_FALSE(refused(good));
  SimulatorSetup bad = good;
  bad.memory = {};
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.workload.writers = 65;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.output.phases.clear();
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.workload.pattern = Pattern::kReplay;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.machine.service_us = {1, 2};
  EXPECT_TRUE(refused(bad));
}

TEST(SimulatorTest, ASimulatedSaveThatWasRecordedReplaysWithItsFaults) {
  SimulatorSetup setup = SetupOf(Pattern::kUniform, 5000);
  setup.output = ConstantOutput("slow", 64e6);
  SaveTrace trace;
  const auto policy = RecordInto(&trace, std::make_unique<OffPolicy>());
  const auto recorded = Simulate(setup, *policy);
  ASSERT_TRUE(recorded);
  trace.stage_size = setup.stage;
  trace.ranges = {{{0}, {setup.memory.count}}};

  auto replay = ReplaySetup(trace);
  ASSERT_TRUE(replay);
  replay->output = setup.output;
  const SimulatorReport report = SimulateOff(*replay);
  EXPECT_EQ(report.end, End::kDone);
  EXPECT_EQ(report.scanned + report.faulted, ToPages(setup.memory).count);
  EXPECT_NEAR(static_cast<double>(report.faulted), static_cast<double>(recorded->faulted),
              0.02 * static_cast<double>(recorded->faulted));
}

TEST(SimulatorTest, ATraceWithoutMemoryCannotBeReplayed) {
  EXPECT_EQ(ReplaySetup(SaveTrace{}).error().code, ErrorCode::kUsage);
}

TEST(SimulatorTest, FaultsOutsideOfTheMemoryOfATraceAreLeftOut) {
  SaveTrace trace;
  trace.stage_size = MiB(1);
  trace.ranges = {{{0x10000}, {0x20000}}, {{0x40000}, {0x50000}}};
  for (const uint64_t address : {0x0u, 0xf000u, 0x10000u, 0x20000u, 0x41000u, 0x50000u}) {
    trace.faults.push_back({.arrival = {}, .wait = {}, .address = {address}});
  }
  const auto setup = ReplaySetup(trace);
  ASSERT_TRUE(setup);
  NeverPolicy never;
  SimulatorSetup bounded = *setup;
  bounded.longest = seconds(1);
  EXPECT_EQ(Simulate(bounded, never)->faulted, 2u);
}

}  // namespace
}  // namespace stillframe::evaluate
