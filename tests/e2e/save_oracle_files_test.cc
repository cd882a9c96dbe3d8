// Private mappings of files: copied before the pause and, where that does not hold, inside it; with
// threads that write them at full speed, and all else that a target can do to them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "save_oracle.h"
#include "support/binaries.h"

namespace stillframe::test {
namespace {

std::vector<std::string> FileTarget(const std::string& writers, const std::string& mib,
                                    const std::string& mode = "busy") {
  return {TestTarget("file_target"), writers, mib, mode};
}

size_t MappingsOf(pid_t pid) {
  return Lines(ReadFile("/proc/" + std::to_string(pid) + "/maps")).size();
}

struct FilesCase {
  std::string name;
  std::vector<std::string> save;
};
void PrintTo(const FilesCase& with, std::ostream* out) { *out << with.name; }

class FilesOracleTest : public SaveOracleTest {
 protected:
  void ExpectWhole(const CommandOutcome& save) {
    ASSERT_EQ(save.exit_code, kExitDone) << save.err;
    EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
    EXPECT_EQ(save.json["pages"]["lost"], 0);
    ExpectImageEqualsOracle(image(), copy(), save.json);
  }
};

class BusyFilesTest : public FilesOracleTest, public testing::WithParamInterface<FilesCase> {};

TEST_P(BusyFilesTest, TheImageEqualsTheOraclesCopy) {
  Subprocess target(FileTarget("2", "32"));
  ASSERT_TRUE(target.WaitForOut("..")) << target.Err();
  const CommandOutcome save = Save(target.pid(), GetParam().save);
  ExpectWhole(save);
  EXPECT_GE(save.json["rounds"]["count"], 2);
  EXPECT_GE(save.json["rounds"]["copied_bytes"], 64 << 20);
  // It was let go of, and runs on.
  const size_t dots = target.Out().size();
  EXPECT_TRUE(Eventually([&] { return target.Out().size() > dots + 4; }));
}

INSTANTIATE_TEST_SUITE_P(Saves, BusyFilesTest,
                         testing::Values(FilesCase{"AtOnce", {}},
                                         FilesCase{"Late", {"--instant", "late"}},
                                         FilesCase{"Precopy", {"--via", "precopy"}}),
                         [](const auto& info) { return info.param.name; });

// Nearly all of it was copied while the target ran.
TEST_F(FilesOracleTest, WhatIsNotWrittenAgainIsNotCopiedInThePause) {
  Subprocess target(FileTarget("4", "16", "still"));
  ASSERT_TRUE(target.WaitForOut("ready")) << target.Err();
  const size_t mappings = MappingsOf(target.pid());
  const CommandOutcome save = Save(target.pid(), {});
  ExpectWhole(save);
  EXPECT_GE(save.json["pages"]["scanned"], 16 * 1024);
  EXPECT_LT(save.json["pages"]["paused"], 1024);
  // No mapping stays split.
  EXPECT_EQ(MappingsOf(target.pid()), mappings);
}

TEST_F(FilesOracleTest, LittleOfItIsCopiedInThePause) {
  Subprocess sleeping({"sleep", "100"});
  ASSERT_TRUE(Eventually([&] { return StatusField(sleeping.pid(), "Name") == "sleep"; }));
  const CommandOutcome save = Save(sleeping.pid(), {});
  ExpectWhole(save);
  EXPECT_EQ(save.json["rounds"]["count"], 0);
  EXPECT_EQ(save.json["rounds"]["copied_bytes"], 0);
  EXPECT_GT(save.json["pages"]["paused"], 0);
}

// The image is held up by a reader that stands still, so that the save is in its first round.
TEST_F(FilesOracleTest, ATargetThatEndsDuringTheRoundsLeavesNoImage) {
  Subprocess target(FileTarget("2", "16", "still"));
  ASSERT_TRUE(target.WaitForOut("ready")) << target.Err();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  Subprocess save(SaveArgv(target.pid(), "-", {"--compress", "none"}), {.stdout_fd = writer.get()});
  writer.reset();
  std::vector<char> buffer(1 << 16);
  size_t copied = 0;
  while (copied < 1 << 20) {
    const ssize_t n = read(reader.get(), buffer.data(), buffer.size());
    ASSERT_GT(n, 0) << save.Err();
    copied += static_cast<size_t>(n);
  }
  target.Signal(SIGKILL);
  ASSERT_TRUE(target.Wait());
  while (read(reader.get(), buffer.data(), buffer.size()) > 0) {
  }
  const CommandOutcome outcome = OutcomeOf(save);
  EXPECT_EQ(outcome.exit_code, kExitTargetGone) << outcome.err;
  EXPECT_NE(outcome.err.find("exited"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace stillframe::test
