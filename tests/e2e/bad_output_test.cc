// Outputs that can't take the image: a clear error, nothing left behind, the target untouched.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "image_check.h"
#include "scripted.h"
#include "slow_save.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/small_disk.h"
#include "support/stillframe_command.h"

namespace stillframe::test {
namespace {

class BadOutputTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  void ExpectRefused(const std::string& path, int exit_code, const std::string& code) {
    const CommandOutcome save = RunSave(target_.pid(), path);
    EXPECT_EQ(save.exit_code, exit_code) << path << ": " << save.err;
    EXPECT_EQ(WrongInError(save.json), "") << save.out;
    EXPECT_EQ(save.json["error"]["code"], code) << save.out;
    EXPECT_NE(save.err, "");
    EXPECT_EQ(target_.WhatIsWrong(), "");
  }

  TempDir directory_;
  ScriptedTarget target_{4};
};

TEST_F(BadOutputTest, DirectoryThatIsNotThere) {
  ExpectRefused(directory_ / "no/such/image", kExitOutput, "output");
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
}

TEST_F(BadOutputTest, DirectoryItself) {
  ExpectRefused(directory_.path(), kExitUsage, "usage");
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
}

TEST_F(BadOutputTest, ReadOnlyFileSystem) {
  const SmallDisk disk(directory_ / "disk");
  ASSERT_TRUE(disk.mounted());
  ASSERT_TRUE(disk.MakeReadOnly());
  ExpectRefused(directory_ / "disk/image", kExitOutput, "output");
}

TEST_F(BadOutputTest, FullFileSystem) {
  const SmallDisk disk(directory_ / "disk");
  ASSERT_TRUE(disk.mounted());
  ExpectRefused(directory_ / "disk/image", kExitOutput, "output");
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "disk"));
}

TEST_F(BadOutputTest, DirectoryThatTheUserMayNotWrite) {
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  const CommandOutcome save = RunSave(target_.pid(), directory_ / "image", {}, {.user = 65534});
  EXPECT_EQ(save.exit_code, kExitPermission) << save.err;
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
}

TEST_F(BadOutputTest, ExistingFileIsKeptWithoutForce) {
  WriteFile(directory_ / "image", "precious");
  ExpectRefused(directory_ / "image", kExitUsage, "usage");
  EXPECT_EQ(ReadFile(directory_ / "image"), "precious");
  EXPECT_EQ(directory_.List(), std::vector<std::string>{"image"});
}

TEST_F(BadOutputTest, ExistingFileIsReplacedWithForce) {
  WriteFile(directory_ / "image", "precious");
  const CommandOutcome save = RunSave(target_.pid(), directory_ / "image", {"--force"});
  EXPECT_EQ(save.exit_code, kExitDone) << save.err;
  const auto image = OpenImage(directory_ / "image");
  ASSERT_NE(image, nullptr);
  EXPECT_TRUE(image->Verify());
  EXPECT_EQ(directory_.List(), std::vector<std::string>{"image"});
}

TEST_F(BadOutputTest, ExistingFileOutlivesAForcedSaveThatFails) {
  WriteFile(directory_ / "image", "precious");
  const CommandOutcome save =
      RunSave(target_.pid(), directory_ / "image", {"--force", "--exec-paused", "false"});
  EXPECT_EQ(save.exit_code, kExitOther) << save.err;
  EXPECT_EQ(ReadFile(directory_ / "image"), "precious");
  EXPECT_EQ(directory_.List(), std::vector<std::string>{"image"});
}

TEST_F(BadOutputTest, FileThatAppearsMeanwhileIsNotOverwritten) {
  SlowSave save(target_.pid());
  ASSERT_TRUE(save.begun());
  WriteFile(save.image(), "precious");
  const CommandOutcome outcome = save.Outcome();
  EXPECT_EQ(outcome.exit_code, kExitUsage) << outcome.err;
  EXPECT_EQ(ReadFile(save.image()), "precious");
  EXPECT_EQ(save.Left(), std::vector<std::string>{"image"});
}

TEST_F(BadOutputTest, FileDoesNotAppearBeforeItIsComplete) {
  SlowSave save(target_.pid());
  ASSERT_TRUE(save.begun());
  EXPECT_EQ(save.Left(), std::vector<std::string>());
  EXPECT_EQ(save.Outcome().exit_code, kExitDone);
  EXPECT_EQ(save.Left(), std::vector<std::string>{"image"});
}

TEST_F(BadOutputTest, PipeWhoseReaderGoesAway) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  Subprocess save(SaveArgv(target_.pid(), "-"), {.stdout_fd = writer.get()});
  writer.reset();
  char buffer[100];
  ASSERT_GT(read(reader.get(), buffer, sizeof(buffer)), 0);
  reader.reset();
  EXPECT_EQ(save.Wait(), kExitOutput) << save.Err();
  const auto json = nlohmann::json::parse(Lines(save.Err()).back(), nullptr, false);
  EXPECT_EQ(WrongInError(json), "") << save.Err();
  EXPECT_EQ(target_.WhatIsWrong(), "");
  EXPECT_TRUE(target_.Do("write"));
}

TEST_F(BadOutputTest, OutputIsRefusedBeforeTheTargetIsTouched) {
  const CommandOutcome save = RunSave(target_.pid(), directory_ / "no/such/image",
                                      {"--exec-paused", "touch " + (directory_ / "paused")});
  EXPECT_EQ(save.exit_code, kExitOutput) << save.err;
  EXPECT_FALSE(Exists(directory_ / "paused"));
}

}  // namespace
}  // namespace stillframe::test
