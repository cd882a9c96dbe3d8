// The workload finds wrong memory, in each of its parts, and says nothing while all is well.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "evaluate/check_failure.h"
#include "evaluate/workload_options.h"
#include "support/binaries.h"
#include "support/files.h"
#include "support/subprocess.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

class WorkloadPartTest : public testing::TestWithParam<std::string> {};

TEST_P(WorkloadPartTest, FindsAWrongByte) {
  const Finished run = RunToEnd({Binary("stillframe-workload"), "--memory", "16M", "--only",
                                 GetParam(), "--seconds", "1", "--corrupt-after", "3"});
  EXPECT_EQ(run.exit_code, evaluate::kWrongMemoryExit) << run.err;
  EXPECT_NE(run.err.find("wrong memory: "), std::string::npos) << run.err;
}

TEST_P(WorkloadPartTest, EndsWellWhenNothingIsWrong) {
  const Finished run = RunToEnd(
      {Binary("stillframe-workload"), "--memory", "16M", "--only", GetParam(), "--seconds", "0.3"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "");
}

INSTANTIATE_TEST_SUITE_P(Parts, WorkloadPartTest, testing::ValuesIn(evaluate::PartNames()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(WorkloadTest, AllPartsAtOnceMakeProgressAndEndWell) {
  WorkloadProcess workload({"--memory", "32M", "--tickets"});
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST(WorkloadTest, ReportCountsEachWriteFromItsIntendedTime) {
  const Finished run =
      RunToEnd({Binary("stillframe-workload"), "--memory", "16M", "--only", "random,sequential",
                "--rate", "1000", "--seconds", "1", "--report-latency"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const nlohmann::json report = nlohmann::json::parse(Lines(run.out).back());
  EXPECT_EQ(report["schema"], 1);
  EXPECT_GT(report["writes"], 0);
  EXPECT_LE(report["latency_us"]["p50"], report["latency_us"]["max"]);
}

TEST(WorkloadTest, OptionsThatMakeNoSenseAreRefused) {
  for (const char* option : {"--memory=zero", "--rate=-1", "--only=nothing", "--threads=0",
                             "--ticket-pages=17", "--no-such-option", "word"}) {
    EXPECT_EQ(RunToEnd({Binary("stillframe-workload"), option}).exit_code, 2) << option;
  }
}

TEST(WorkloadTest, AStoppedWorkloadIsSeenAsStopped) {
  WorkloadProcess workload({"--memory", "4M", "--only", "random", "--rate", "1000"});
  workload.process().Signal(SIGSTOP);
  EXPECT_EQ(workload.WhatIsWrong(), "one of its threads makes no progress");
  workload.process().Signal(SIGCONT);
  EXPECT_EQ(workload.WhatIsWrong(), "");
}

}  // namespace
}  // namespace stillframe::test
