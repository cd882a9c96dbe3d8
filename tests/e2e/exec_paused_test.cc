// --exec-paused: a command at the instant of the image, the target standing still.
#include <gtest/gtest.h>
#include <signal.h>

#include "scripted.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"

namespace stillframe::test {
namespace {

class ExecPausedTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  void ExpectGivenUp(const CommandOutcome& save, int exit_code) {
    EXPECT_EQ(save.exit_code, exit_code) << save.err << save.out;
    EXPECT_EQ(WrongInError(save.json), "") << save.out;
    EXPECT_FALSE(Exists(image()));
    EXPECT_EQ(target_.WhatIsWrong(), "");
    EXPECT_TRUE(target_.Do("write"));
  }

  std::string image() const { return directory_ / "image"; }

  TempDir directory_;
  ScriptedTarget target_{4};
};

TEST_F(ExecPausedTest, SeesThePidAndATargetThatStandsStill) {
  const std::string seen = directory_ / "seen";
  const CommandOutcome save =
      RunSave(target_.pid(), image(),
              {"--exec-paused", "grep -h State: /proc/$STILLFRAME_PID/status > " + seen});
  EXPECT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_NE(ReadFile(seen).find("t (tracing stop)"), std::string::npos) << ReadFile(seen);
  EXPECT_EQ(target_.WhatIsWrong(), "");
}

TEST_F(ExecPausedTest, ItsTimeIsNotPartOfThePause) {
  const CommandOutcome save = RunSave(target_.pid(), image(), {"--exec-paused", "sleep 1"});
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_GE(save.json["exec_us"], 1'000'000);
  // Counts, not times, are asserted in tests; but here one is the other's complement.
  EXPECT_LT(save.json["pause_us"], save.json["exec_us"]);
}

TEST_F(ExecPausedTest, ItsFailureGivesTheSaveUp) {
  ExpectGivenUp(RunSave(target_.pid(), image(), {"--exec-paused", "exit 3"}), kExitOther);
}

TEST_F(ExecPausedTest, CommandThatDoesNotExistGivesTheSaveUp) {
  ExpectGivenUp(RunSave(target_.pid(), image(), {"--exec-paused", "no-such-command-at-all"}),
                kExitOther);
}

TEST_F(ExecPausedTest, CommandThatTakesTooLongGivesTheSaveUp) {
  ExpectGivenUp(RunSave(target_.pid(), image(),
                        {"--exec-timeout", "100ms", "--exec-paused",
                         "echo $$ > " + (directory_ / "pid") + "; exec sleep 60"}),
                kExitLimit);
  const pid_t command = std::stoi(ReadFile(directory_ / "pid"));
  EXPECT_TRUE(Eventually([&] { return StateOf(command) == '?'; })) << "the command lives on";
}

TEST_F(ExecPausedTest, DiesWithUs) {
  {
    Subprocess save(SaveArgv(target_.pid(), image(),
                             {"--exec-timeout", "60s", "--exec-paused",
                              "echo $$ > " + (directory_ / "pid") + "; exec sleep 60"}));
    ASSERT_TRUE(Eventually([&] { return !ReadFile(directory_ / "pid").empty(); }));
    save.Signal(SIGKILL);
    EXPECT_EQ(save.Wait(), kExitSigkill);
  }
  const pid_t command = std::stoi(ReadFile(directory_ / "pid"));
  EXPECT_TRUE(Eventually([&] { return StateOf(command) == '?'; })) << "the command lives on";
  EXPECT_EQ(target_.WhatIsWrong(), "");
  EXPECT_TRUE(target_.Do("write"));
}

}  // namespace
}  // namespace stillframe::test
