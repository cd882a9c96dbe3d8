// Copies that the system has no memory for: the save is refused while the target is still
// untouched.
#include <gtest/gtest.h>

#include <string>

#include "image_check.h"
#include "scripted.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"

namespace stillframe::test {
namespace {

class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
    STILLFRAME_REQUIRE(MissingProgram("unshare"));
    STILLFRAME_REQUIRE(MissingProgram("prlimit"));
  }

  // Runs a save under another command.
  CommandOutcome SaveUnder(const ScriptedTarget& target, std::vector<std::string> argv,
                           std::vector<std::string> more = {}) {
    for (const std::string& word : SaveArgv(target.pid(), directory_ / "image", more)) {
      argv.push_back(word);
    }
    Subprocess save(argv);
    return OutcomeOf(save);
  }
  void ExpectRefused(const CommandOutcome& save) {
    EXPECT_EQ(save.exit_code, kExitLimit) << save.err << save.out;
    EXPECT_EQ(WrongInError(save.json), "") << save.out;
    EXPECT_NE(save.json["error"]["hint"], "");
    EXPECT_FALSE(Exists(directory_ / "image"));
    EXPECT_EQ(target_.WhatIsWrong(), "");
    EXPECT_TRUE(target_.Do("write"));
  }
  // Where the system says that it has no more than this.
  std::vector<std::string> WhereAvailableIs(const std::string& size) {
    const std::string file = directory_ / "meminfo";
    WriteFile(file, "MemTotal: 1 kB\nMemAvailable: " + size + "\n");
    return {"unshare", "-m", "sh", "-c", "mount --bind " + file + " /proc/meminfo && exec \"$@\"",
            "sh"};
  }

  TempDir directory_;
  ScriptedTarget target_{24};  // as much of it shared
};

TEST_F(MemoryTest, MoreThanIsAvailableIsRefused) {
  const CommandOutcome save = SaveUnder(target_, WhereAvailableIs("8192 kB"));
  ExpectRefused(save);
  EXPECT_NE(save.json["error"]["message"].get<std::string>().find("8 MiB"), std::string::npos)
      << save.out;
}

TEST_F(MemoryTest, AStoppedTargetNeedsNone) {
  const CommandOutcome save = SaveUnder(target_, WhereAvailableIs("8192 kB"), {"--via", "stop"});
  EXPECT_EQ(save.exit_code, kExitDone) << save.err << save.out;
}

TEST_F(MemoryTest, AnAddressSpaceThatIsTooSmallIsNoCrash) {
  // A stage fits, the copies of 128 MiB beside it do not.
  const ScriptedTarget large(128);
  const CommandOutcome save = SaveUnder(large, {"prlimit", "--as=190000000"}, {"--stage", "64M"});
  ExpectRefused(save);
  // Not even the stage fits.
  ExpectRefused(SaveUnder(target_, {"prlimit", "--as=190000000"}, {"--stage", "1G"}));
}

}  // namespace
}  // namespace stillframe::test
