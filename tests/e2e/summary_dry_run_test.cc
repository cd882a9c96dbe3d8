// A dry run: it measures, writes nothing, and leaves the target as it was.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "scripted.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

class DryRunTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  // The predictions by way.
  std::map<std::string, nlohmann::json> DryRun(pid_t pid) {
    outcome_ = RunStillframe({"save", std::to_string(pid), "--dry-run", "--json"});
    EXPECT_EQ(outcome_.exit_code, kExitDone) << outcome_.err;
    std::map<std::string, nlohmann::json> ways;
    if (!outcome_.json.is_object()) return ways;
    EXPECT_EQ(outcome_.json["dry_run"], true);
    for (const auto& way : outcome_.json["ways"]) {
      const bool late = way["instant"] == "late";
      ways[late ? "late" : way["via"].get<std::string>()] = way;
    }
    EXPECT_EQ(ways.size(), 5u) << outcome_.out;
    return ways;
  }

  CommandOutcome outcome_;
};

TEST_F(DryRunTest, OfAQuietTargetTellsItsSizeAndThatNothingIsWritten) {
  ScriptedTarget target(64);  // and as much of it shared, which has to be copied
  auto ways = DryRun(target.pid());
  EXPECT_GE(outcome_.json["present_bytes"], 64 << 20);
  EXPECT_GE(outcome_.json["copied_bytes"], 64 << 20);
  EXPECT_GT(outcome_.json["sampled_pages"], 10'000);
  const auto& written = outcome_.json["pages_written_per_second"];
  if (!written.is_null()) {
    EXPECT_LT(written, 2000);
  }
  EXPECT_LT(outcome_.json["zero_share"], 0.1);
  EXPECT_GE(ways["wp"]["extra_memory_bytes"], 64 << 20);
  EXPECT_LT(ways["stop"]["extra_memory_bytes"], 64 << 20);
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

TEST_F(DryRunTest, OfABusyTargetSeesItsWrites) {
  WorkloadProcess workload({"--memory", "128M", "--threads", "2"});
  DryRun(workload.pid());
  const auto& written = outcome_.json["pages_written_per_second"];
  if (!written.is_null()) {
    EXPECT_GT(written, 2000);
  }
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(DryRunTest, SaysThatWriteProtectionCanNotBeHad) {
  ScriptedTarget target;
  ASSERT_TRUE(target.Do("userfaultfd"));
  auto ways = DryRun(target.pid());
  EXPECT_EQ(ways["wp"]["possible"], false);
  EXPECT_NE(ways["wp"]["obstacle"], "");
  EXPECT_EQ(ways["stop"]["possible"], true);
  EXPECT_NE(outcome_.json["advice"], "wp");
}

TEST_F(DryRunTest, ForAPersonSaysWhichWayToTake) {
  ScriptedTarget target(4);
  const CommandOutcome outcome = RunStillframe({"save", std::to_string(target.pid()), "--dry-run"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_NE(outcome.out.find("Take --via "), std::string::npos) << outcome.out;
}

TEST_F(DryRunTest, WritesNoImage) {
  const TempDir directory;
  ScriptedTarget target(4);
  const CommandOutcome outcome =
      RunStillframe({"save", std::to_string(target.pid()), "--dry-run", "-o", directory / "image"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(directory.List(), std::vector<std::string>());
}

TEST_F(DryRunTest, FailsAsASaveWould) {
  EXPECT_EQ(RunStillframe({"save", "2", "--dry-run", "--json"}).exit_code, kExitUsage);
}

}  // namespace
}  // namespace stillframe::test
