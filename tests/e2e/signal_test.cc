// Signals to the command: it ends cleanly, or says how far it is.
#include <gtest/gtest.h>
#include <signal.h>

#include "scripted.h"
#include "slow_save.h"
#include "support/files.h"
#include "support/requirements.h"

namespace stillframe::test {
namespace {

class SignalTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }
};

TEST_P(SignalTest, EndsTheSaveAndLeavesTheTargetRunning) {
  ScriptedTarget target;
  SlowSave save(target.pid());
  ASSERT_TRUE(save.begun());
  save.process().Signal(GetParam());
  const CommandOutcome outcome = save.Outcome();
  EXPECT_EQ(outcome.exit_code, 128 + GetParam()) << outcome.err;
  EXPECT_EQ(WrongInError(outcome.json), "") << outcome.out;
  EXPECT_EQ(outcome.json["error"]["code"], "interrupted");
  EXPECT_EQ(save.Left(), std::vector<std::string>());
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

TEST_P(SignalTest, DuringThePauseEndsTheCommandThatRunsThereToo) {
  ScriptedTarget target;
  TempDir directory;
  Subprocess save(SaveArgv(target.pid(), directory / "image",
                           {"--exec-timeout", "60s", "--exec-paused",
                            "echo $$ > " + (directory / "pid") + "; exec sleep 60"}));
  ASSERT_TRUE(Eventually([&] { return !ReadFile(directory / "pid").empty(); }));
  const pid_t command = std::stoi(ReadFile(directory / "pid"));
  save.Signal(GetParam());
  EXPECT_EQ(OutcomeOf(save, 20).exit_code, 128 + GetParam()) << save.Err();
  EXPECT_TRUE(Eventually([&] { return StateOf(command) == '?'; })) << "the command lives on";
  EXPECT_FALSE(Exists(directory / "image"));
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

INSTANTIATE_TEST_SUITE_P(Signals, SignalTest, testing::Values(SIGINT, SIGTERM),
                         [](const auto& info) {
                           return info.param == SIGINT ? "Sigint" : "Sigterm";
                         });

TEST(StatusSignalTest, PrintsOneLineAndGoesOn) {
  STILLFRAME_REQUIRE(MissingRoot());
  STILLFRAME_REQUIRE(MissingUserfaultfd());
  ScriptedTarget target(4);
  SlowSave save(target.pid());
  ASSERT_TRUE(save.begun());
  EXPECT_EQ(save.process().Err(), "");
  save.process().Signal(SIGUSR1);
  EXPECT_TRUE(save.process().WaitForErr("\n")) << "no status line";
  EXPECT_EQ(Lines(save.process().Err()).size(), 1) << save.process().Err();
  EXPECT_EQ(save.Outcome().exit_code, kExitDone) << save.process().Err();
}

}  // namespace
}  // namespace stillframe::test
