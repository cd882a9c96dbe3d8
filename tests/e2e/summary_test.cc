// What a save prints: one JSON object on stdout and nothing else, or a summary for a person.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image_check.h"
#include "scripted.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"

namespace stillframe::test {
namespace {

class SummaryTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  std::string image() const { return directory_ / "image"; }

  TempDir directory_;
  ScriptedTarget target_{4};
};

TEST_F(SummaryTest, JsonIsOneObjectOnStdoutWithAllItsFields) {
  const CommandOutcome save = RunSave(target_.pid(), image());
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.out;
  EXPECT_EQ(Lines(save.out).size(), 1) << save.out;
  EXPECT_EQ(save.err, "");
  EXPECT_EQ(save.json["pid"], target_.pid());
  EXPECT_EQ(save.json["image"], image());
  EXPECT_EQ(save.json["exec_us"], 0);
  EXPECT_EQ(save.json["throttle"]["policy"], "skip");
  EXPECT_EQ(save.json["image_bytes"], ReadFile(image()).size());
  // Both of the target's regions are data, whoever saved them.
  const auto& pages = save.json["pages"];
  EXPECT_GE(pages["scanned"].get<uint64_t>() + pages["faulted"].get<uint64_t>() +
                pages["paused"].get<uint64_t>(),
            2 * target_.anonymous().pages().count);
  EXPECT_EQ(pages["lost"], 0);
}

TEST_F(SummaryTest, WithStdoutAsOutputTheJsonIsTheLastLineOfStderr) {
  const UniqueFd out(open(image().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  Subprocess save(SaveArgv(target_.pid(), "-"), {.stdout_fd = out.get()});
  ASSERT_EQ(save.Wait(), kExitDone) << save.Err();
  const auto json = nlohmann::json::parse(Lines(save.Err()).back(), nullptr, false);
  EXPECT_EQ(WrongInSummary(json), "") << save.Err();
  const auto reader = OpenImage(image());
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(reader->Verify());
}

TEST_F(SummaryTest, ForAPersonItIsTextWithThePauseInIt) {
  const CommandOutcome save =
      RunStillframe({"save", std::to_string(target_.pid()), "-o", image(), "--progress", "none"});
  EXPECT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_NE((save.out + save.err).find("ause"), std::string::npos) << save.out << save.err;
}

TEST_F(SummaryTest, QuietSaysNothing) {
  const CommandOutcome save =
      RunStillframe({"save", std::to_string(target_.pid()), "-o", image(), "-q"});
  EXPECT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_EQ(save.err, "");
}

TEST_F(SummaryTest, ImageIsPrivateToItsOwner) {
  ASSERT_EQ(RunSave(target_.pid(), image()).exit_code, kExitDone);
  struct stat status = {};
  ASSERT_EQ(stat(image().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600);
}

TEST_F(SummaryTest, InfoVerifyAndCatReadWhatWasSaved) {
  ASSERT_EQ(RunSave(target_.pid(), image()).exit_code, kExitDone);
  const CommandOutcome info = RunStillframe({"info", image(), "--json"});
  EXPECT_EQ(info.exit_code, kExitDone) << info.err;
  EXPECT_TRUE(info.json.is_object()) << info.out;
  EXPECT_EQ(RunStillframe({"info", image()}).exit_code, kExitDone);
  EXPECT_EQ(RunStillframe({"verify", image()}).exit_code, kExitDone);
  // The second page of the target's memory: its header says so.
  const uint64_t address = target_.anonymous().begin.value + 4096;
  const CommandOutcome cat = RunStillframe({"cat", image(), std::to_string(address), "0x10"});
  EXPECT_EQ(cat.exit_code, kExitDone) << cat.err;
  ASSERT_EQ(cat.out.size(), 16);
  EXPECT_EQ(cat.out.substr(0, 8), "WillPagE");
  EXPECT_EQ(cat.out.substr(8, 8), std::string("\1\0\0\0\0\0\0\0", 8));
}

TEST_F(SummaryTest, DevNullIsWrittenLikeAPipe) {
  const CommandOutcome save = RunSave(target_.pid(), "/dev/null");
  EXPECT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.out;
  struct stat status = {};
  ASSERT_EQ(stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

}  // namespace
}  // namespace stillframe::test
