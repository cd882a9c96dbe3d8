// Pids that can't be saved: a clear error with its exit code, nothing left behind, the target
// untouched.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scripted.h"
#include "slow_save.h"
#include "support/binaries.h"
#include "support/files.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "tiny_elf32.h"

namespace stillframe::test {
namespace {

class BadTargetTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  // Also that the message for a person comes with it. Returns it.
  std::string ExpectRefused(const std::string& pid, int exit_code, const std::string& code,
                            const SubprocessOptions& options = {}) {
    const CommandOutcome save = RunStillframe(
        {"save", pid, "-o", directory_ / "image", "--json", "--progress", "none"}, options);
    EXPECT_EQ(save.exit_code, exit_code) << save.err << save.out;
    EXPECT_EQ(WrongInError(save.json), "") << save.out;
    if (save.json.is_object()) {
      EXPECT_EQ(save.json["error"]["code"], code) << save.out;
    }
    EXPECT_NE(save.err, "");
    EXPECT_EQ(directory_.List(), std::vector<std::string>());
    return save.err;
  }
  std::string ExpectRefused(pid_t pid, int exit_code, const std::string& code,
                            const SubprocessOptions& options = {}) {
    return ExpectRefused(std::to_string(pid), exit_code, code, options);
  }

  TempDir directory_;
};

TEST_F(BadTargetTest, NoSuchPid) {
  Subprocess gone({"true"});
  ASSERT_EQ(gone.Wait(), 0);
  ExpectRefused(gone.pid(), kExitTargetGone, "target-gone");
}

TEST_F(BadTargetTest, PidThatIsNoNumber) {
  for (const char* pid : {"me", "0", "-5", "12x", "99999999999999999999", ""}) {
    const CommandOutcome save =
        RunStillframe({"save", pid, "-o", directory_ / "image", "--progress", "none"});
    EXPECT_EQ(save.exit_code, kExitUsage) << "'" << pid << "': " << save.err;
  }
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
}

TEST_F(BadTargetTest, KernelThread) {
  // kthreadd; in a pid namespace of our own there may be none.
  if (!ReadFile("/proc/2/cmdline").empty() || StatusField(2, "Kthread") != "1") {
    if (StatusField(2, "Name") != "kthreadd") GTEST_SKIP() << "no kernel thread to be seen here";
  }
  ExpectRefused(2, kExitUsage, "usage");
}

TEST_F(BadTargetTest, Zombie) {
  const pid_t zombie = fork();
  if (zombie == 0) _exit(0);
  ASSERT_TRUE(Eventually([&] { return StateOf(zombie) == 'Z'; }));
  ExpectRefused(zombie, kExitUsage, "usage");
  waitpid(zombie, nullptr, 0);
}

TEST_F(BadTargetTest, OurOwnPid) {
  // The shell becomes the command, so its pid is the command's.
  const Finished save = RunToEnd(
      {"sh", "-c", "exec " + Binary("stillframe") + " save $$ -o " + (directory_ / "image")});
  EXPECT_EQ(save.exit_code, kExitUsage) << save.err;
  EXPECT_NE(save.err, "");
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
}

TEST_F(BadTargetTest, TracedByAnother) {
  ScriptedTarget target(2);
  ASSERT_EQ(ptrace(PTRACE_SEIZE, target.pid(), nullptr, nullptr), 0);
  const std::string message = ExpectRefused(target.pid(), kExitPermission, "permission");
  EXPECT_NE(message.find("trace"), std::string::npos) << message;
  // Still ours to let go.
  ASSERT_EQ(ptrace(PTRACE_INTERRUPT, target.pid(), nullptr, nullptr), 0);
  ASSERT_EQ(waitpid(target.pid(), nullptr, __WALL), target.pid());
  ASSERT_EQ(ptrace(PTRACE_DETACH, target.pid(), nullptr, nullptr), 0);
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

TEST_F(BadTargetTest, ProgramOf32Bits) {
  TempDir programs;
  WriteTinyElf32(programs / "tiny");
  Subprocess tiny({programs / "tiny"});
  if (!Eventually([&] { return StatusField(tiny.pid(), "Name") == "tiny"; }, 3)) {
    STILLFRAME_REQUIRE(std::string("32-bit programs"));
  }
  ExpectRefused(tiny.pid(), kExitUnsupported, "unsupported");
  EXPECT_TRUE(tiny.IsRunning());
  EXPECT_EQ(StatusField(tiny.pid(), "TracerPid"), "0");
}

TEST_F(BadTargetTest, TargetThatUsesUserfaultfdItself) {
  ScriptedTarget target(2);
  ASSERT_TRUE(target.Do("userfaultfd"));
  const std::string message = ExpectRefused(target.pid(), kExitUnsupported, "unsupported");
  EXPECT_NE(message.find("userfaultfd"), std::string::npos) << message;
  EXPECT_TRUE(target.Do("write"));
}

TEST_F(BadTargetTest, SecondSaveOfTheSameTarget) {
  ScriptedTarget target(4);
  SlowSave first(target.pid());
  ASSERT_TRUE(first.begun());
  ExpectRefused(target.pid(), kExitUnsupported, "unsupported");
  EXPECT_TRUE(first.process().IsRunning()) << "the first one was disturbed";
  EXPECT_TRUE(target.Do("write"));
  EXPECT_EQ(first.Outcome().exit_code, kExitDone) << first.process().Err();
  EXPECT_EQ(target.WhatIsWrong(), "");
}

TEST_F(BadTargetTest, SaveAfterASaveIsFine) {
  ScriptedTarget target(2);
  for (int round = 0; round < 3; ++round) {
    const CommandOutcome save = RunSave(target.pid(), directory_ / "image", {"--force"});
    EXPECT_EQ(save.exit_code, kExitDone) << save.err;
  }
  EXPECT_EQ(target.WhatIsWrong(), "");
}

TEST_F(BadTargetTest, CallerWithoutTheRight) {
  ScriptedTarget target(2);
  ASSERT_EQ(chown(directory_.path().c_str(), 65534, 65534), 0);
  ExpectRefused(target.pid(), kExitPermission, "permission", {.user = 65534});
  EXPECT_EQ(target.WhatIsWrong(), "");
}

TEST_F(BadTargetTest, NoPidOrTwo) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"save", "-o", directory_ / "image"},
        {"save", "1", "2", "-o", directory_ / "image"},
        {"save", "1"},
        {"no-such-verb"},
        {}}) {
    EXPECT_EQ(RunStillframe(arguments).exit_code, kExitUsage) << testing::PrintToString(arguments);
  }
}

}  // namespace
}  // namespace stillframe::test
