// Limits that are broken: the image is given up, nothing is left, the target runs on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "save/memory_budget.h"
#include "scripted.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

TEST(LimitTest, StallLongerThanMaxStallGivesTheImageUp) {
  STILLFRAME_REQUIRE(MissingRoot());
  STILLFRAME_REQUIRE(MissingUserfaultfd());
  TempDir directory;
  WorkloadProcess workload({"--memory", "32M", "--only", "random", "--threads", "2"});
  const std::string fifo = directory / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  // A reader that is there, but never reads.
  const UniqueFd reader(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const CommandOutcome save =
      RunSave(workload.pid(), fifo, {"--stage", "1M", "--on-full", "wait", "--max-stall", "100ms"});
  EXPECT_EQ(save.exit_code, kExitLimit) << save.err << save.out;
  EXPECT_EQ(WrongInError(save.json), "") << save.out;
  EXPECT_EQ(save.json["error"]["code"], "limit");
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST(LimitTest, AnImageThatIsGivenUpLeavesNoFile) {
  STILLFRAME_REQUIRE(MissingRoot());
  STILLFRAME_REQUIRE(MissingUserfaultfd());
  TempDir directory;
  WorkloadProcess workload({"--memory", "32M", "--only", "random", "--threads", "2"});
  const CommandOutcome save = RunSave(
      workload.pid(), directory / "image",
      {"--stage", "1M", "--max-bandwidth", "64K", "--on-full", "wait", "--max-stall", "100ms"});
  EXPECT_EQ(save.exit_code, kExitLimit) << save.err << save.out;
  EXPECT_EQ(directory.List(), std::vector<std::string>());
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST(LimitTest, AStageThatIsMoreThanTheMemoryIsRefusedBeforeTheTargetIsTouched) {
  TempDir directory;
  ScriptedTarget target(2);
  // On a machine that has so much, it is no refusal that could be seen here; tests/unit sees it.
  if (AvailableMemory() >= GiB(64)) return;
  const CommandOutcome save =
      RunSave(target.pid(), directory / "image",
              {"--stage", "64G", "--exec-paused", "touch " + (directory / "paused")});
  EXPECT_EQ(save.exit_code, kExitLimit) << save.err;
  EXPECT_EQ(WrongInError(save.json), "") << save.out;
  EXPECT_NE(save.json["error"]["hint"], "");
  EXPECT_EQ(directory.List(), std::vector<std::string>());
  EXPECT_EQ(target.WhatIsWrong(), "");
}

TEST(LimitTest, OutputThatStallsForeverBeforeAnyFaultCanBeInterrupted) {
  STILLFRAME_REQUIRE(MissingRoot());
  STILLFRAME_REQUIRE(MissingUserfaultfd());
  TempDir directory;
  ScriptedTarget target;
  const std::string fifo = directory / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd reader(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Subprocess save(SaveArgv(target.pid(), fifo, {"--exec-paused", "touch " + (directory / "go")}));
  ASSERT_TRUE(Eventually([&] { return Exists(directory / "go"); }));
  save.Signal(SIGINT);
  EXPECT_EQ(save.Wait(20), kExitSigint) << save.Err();
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

TEST(LimitTest, OptionsOutsideTheirRangeAreUsageErrors) {
  TempDir directory;
  ScriptedTarget target(2);
  const std::vector<std::vector<std::string>> cases = {
      {"--stage", "1K"},        {"--stage", "many"},     {"--max-stall", "0s"},
      {"--max-bandwidth", "1"}, {"--throttle", "never"}, {"--fault-limit", "5"},
      {"--on-lost", "cry"},     {"--poll-count", "-1"},  {"--filter", "zz"},
      {"--progress", "loud"},   {"--no-such-option"},    {"--exec-timeout", "soon"},
      {"--on-full", "cry"},     {"--spill-limit", "1K"}, {"--spill-dir", ""}};
  for (const auto& more : cases) {
    const CommandOutcome save = RunSave(target.pid(), directory / "image", more);
    EXPECT_EQ(save.exit_code, kExitUsage) << more[0] << ": " << save.err;
    EXPECT_NE(save.err, "") << more[0];
  }
  EXPECT_EQ(directory.List(), std::vector<std::string>());
  EXPECT_EQ(target.WhatIsWrong(), "");
}

}  // namespace
}  // namespace stillframe::test
