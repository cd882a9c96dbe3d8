// The files of `save --trace` and `save --report` say what the summary of the same save says.
#include <gtest/gtest.h>

#include <algorithm>

#include "evaluate/simulator/simulator.h"
#include "report/text.h"
#include "stillframe/save_trace.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"
#include "throttle/off_policy.h"

namespace stillframe::test {
namespace {

class TraceTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  TempDir directory_;
  const std::string image_ = directory_ / "image";
  const std::string path_ = directory_ / "trace";
};

TEST_F(TraceTest, HoldsTheFaultsAndThePagesOfTheSummaryAndCanBeReplayed) {
  // So slow that the log has a record for each fault, however late the saver looks at it.
  WorkloadProcess workload(
      {"--memory", "64M", "--threads", "2", "--rate", "2000", "--only", "random"});
  const CommandOutcome save =
      RunSave(workload.pid(), image_,
              {"--trace", path_, "--throttle", "adaptive", "--max-bandwidth", "200M"});
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_EQ(save.json["throttle"]["policy"], "adaptive");
  const auto trace = DecodeTrace(ReadFile(path_));
  ASSERT_TRUE(trace) << trace.error().message;

  EXPECT_EQ(trace->throttle.policy, "adaptive");
  EXPECT_EQ(trace->stage_size, MiB(64));
  EXPECT_EQ(trace->max_bandwidth, MiB(200));
  EXPECT_GE(trace->present, ToPages(MiB(64)));
  // Some may come after the last look, and those of the kernel's own workers have no record.
  const auto waits = save.json["wait_us"]["count"].get<uint64_t>();
  // The last fault of each thread may have ended when waits were not counted any more.
  constexpr uint64_t kThreads = 8;
  EXPECT_LE(trace->faults.size(), waits + kThreads);
  EXPECT_GT(trace->faults.size() * 2, waits);
  for (const TracedFault& fault : trace->faults) {
    EXPECT_TRUE(std::any_of(trace->ranges.begin(), trace->ranges.end(), [&](const AddressRange& r) {
      return r.Contains(fault.address);
    })) << fault.address.value;
  }
  ASSERT_FALSE(trace->looks.empty());
  EXPECT_GT(trace->looks.back().scanned.count, 0u);

  const auto setup = evaluate::ReplaySetup(*trace);
  ASSERT_TRUE(setup);
  OffPolicy off;
  const auto replayed = Simulate(*setup, off);
  ASSERT_TRUE(replayed);
  EXPECT_EQ(replayed->end, evaluate::SimulatorReport::End::kDone);
  EXPECT_GT(replayed->faulted, 0u);
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(TraceTest, APathThatCannotBeWrittenEndsItBeforeAnythingIsTouched) {
  WorkloadProcess workload({"--memory", "16M", "--threads", "1", "--only", "random"});
  const CommandOutcome save =
      RunSave(workload.pid(), image_, {"--trace", directory_ / "missing/trace"});
  EXPECT_EQ(save.exit_code, kExitUsage) << save.err;
  EXPECT_NE(save.err.find("missing/trace"), std::string::npos) << save.err;
  EXPECT_FALSE(Exists(image_));
  EXPECT_EQ(workload.Finish(), 0);
}

class SaveReportTest : public TraceTest, public testing::WithParamInterface<std::string> {};

TEST_P(SaveReportTest, DrawsTheSaveItIsOf) {
  WorkloadProcess workload({"--memory", "32M", "--threads", "2", "--only", "random"});
  const std::string report = directory_ / "report.html";
  const CommandOutcome save =
      RunSave(workload.pid(), image_, {"--report", report, "--via", GetParam()});
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  const std::string page = ReadFile(report);
  EXPECT_NE(page.find("Save of process " + std::to_string(workload.pid())), std::string::npos);
  EXPECT_NE(page.find("--via " + GetParam()), std::string::npos);
  const std::string name = GetParam() == "wp" ? "skip" : GetParam();
  EXPECT_NE(page.find("\"name\":\"" + name + "\""), std::string::npos);
  for (const char* kind : {"zero", "paused"}) {
    const std::string pages = FormatCount(save.json["pages"][kind].get<uint64_t>()) + " " + kind;
    EXPECT_NE(page.find(pages), std::string::npos) << pages;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, SaveReportTest, testing::Values("wp", "fork", "stop"),
                         [](const auto& info) { return info.param; });

TEST_F(TraceTest, AReportThatCanNotBeWrittenEndsTheSaveBeforeItBegins) {
  WorkloadProcess workload({"--memory", "16M", "--threads", "1", "--only", "random"});
  const CommandOutcome save =
      RunSave(workload.pid(), image_, {"--report", directory_ / "missing/report.html"});
  EXPECT_EQ(save.exit_code, kExitOutput) << save.err;
  EXPECT_NE(save.err.find("missing/report.html"), std::string::npos) << save.err;
  EXPECT_FALSE(Exists(image_));
}

class UnwritableFileTest : public TraceTest, public testing::WithParamInterface<std::string> {};

TEST_P(UnwritableFileTest, OfASaveThatSucceededIsAnErrorBehindItsSummary) {
  WorkloadProcess workload({"--memory", "16M", "--threads", "1", "--only", "random"});
  // It opens, and has no room for anything.
  const CommandOutcome save = RunSave(workload.pid(), image_, {GetParam(), "/dev/full"});
  EXPECT_EQ(save.exit_code, kExitOutput) << save.err;
  EXPECT_NE(save.err.find("/dev/full"), std::string::npos) << save.err;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.out;
  EXPECT_TRUE(Exists(image_));

  const CommandOutcome text = RunStillframe(
      {"save", std::to_string(workload.pid()), "-o", image_ + "-2", GetParam(), "/dev/full"});
  EXPECT_EQ(text.exit_code, kExitOutput) << text.err;
  EXPECT_NE(text.out.find("saved"), std::string::npos) << text.out;
}

INSTANTIATE_TEST_SUITE_P(Files, UnwritableFileTest, testing::Values("--trace", "--report"),
                         [](const auto& info) { return info.param.substr(2); });

TEST_F(TraceTest, ASaveThatFailsLeavesNoReport) {
  WorkloadProcess workload({"--memory", "16M", "--threads", "1", "--only", "random"});
  const std::string report = directory_ / "report.html";
  const CommandOutcome save =
      RunSave(workload.pid(), image_, {"--report", report, "--exec-paused", "false"});
  EXPECT_NE(save.exit_code, kExitDone);
  EXPECT_FALSE(Exists(report));
}

}  // namespace
}  // namespace stillframe::test
