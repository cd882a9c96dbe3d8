// Files that are no whole image: each is refused, by each command that reads one.
#include <gtest/gtest.h>

#include <random>

#include "image_check.h"
#include "scripted.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"

namespace stillframe::test {
namespace {

class BadImageTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
    ScriptedTarget target(1);
    memory_ = target.anonymous();
    const CommandOutcome save = RunSave(target.pid(), path_);
    ASSERT_EQ(save.exit_code, kExitDone) << save.err;
    good_ = ReadFile(path_);
    ASSERT_GT(good_.size(), 2u << 20);
  }

  // Every command that reads an image refuses `content`.
  void ExpectRefused(const std::string& content, const std::string& what) {
    WriteFile(path_, content);
    const std::vector<std::vector<std::string>> commands = {
        {"verify", path_},
        {"info", path_},
        {"info", path_, "--json"},
        {"cat", path_, std::to_string(memory_.begin.value), "4096"}};
    for (const auto& command : commands) {
      const CommandOutcome outcome = RunStillframe(command);
      EXPECT_EQ(outcome.exit_code, kExitDamaged) << what << ": " << command[0] << outcome.err;
      EXPECT_NE(outcome.err, "") << what << ": " << command[0];
    }
  }

  bool VerifyRefuses(const std::string& content) {
    WriteFile(path_, content);
    const auto image = ImageReader::Open(path_);
    if (!image) return image.error().code == ErrorCode::kDamaged;
    const Result<void> verified = (*image)->Verify();
    return !verified && verified.error().code == ErrorCode::kDamaged;
  }

  TempDir directory_;
  const std::string path_ = directory_ / "image";
  AddressRange memory_;
  std::string good_;
};

TEST_F(BadImageTest, EmptyFile) { ExpectRefused("", "empty"); }

TEST_F(BadImageTest, TextFile) {
  std::string text;
  while (text.size() < 100'000) text += "This is no image, but a story.\n";
  ExpectRefused(text, "text");
  ExpectRefused("short", "short text");
}

TEST_F(BadImageTest, TruncatedAtEveryKindOfPlace) {
  for (const size_t size : {size_t{1}, size_t{8}, size_t{64}, size_t{4096}, good_.size() / 2,
                            good_.size() - 4096, good_.size() - 1}) {
    ExpectRefused(good_.substr(0, size), "cut off at " + std::to_string(size));
  }
}

TEST_F(BadImageTest, SomethingAppended) {
  EXPECT_TRUE(VerifyRefuses(good_ + '\0'));
  EXPECT_TRUE(VerifyRefuses(good_ + std::string(4096, 'x')));
}

TEST_F(BadImageTest, FlippedBitAnywhereIsFoundByVerify) {
  std::mt19937_64 random(1);
  std::vector<size_t> places;
  for (size_t i = 0; i < 128; ++i) places.push_back(i);
  for (size_t i = 1; i <= 128; ++i) places.push_back(good_.size() - i);
  for (int i = 0; i < 200; ++i) places.push_back(random() % good_.size());
  for (const size_t place : places) {
    std::string bad = good_;
    bad[place] = static_cast<char>(bad[place] ^ (1 << (place % 8)));
    EXPECT_TRUE(VerifyRefuses(bad)) << "bit " << place % 8 << " of byte " << place;
  }
}

TEST_F(BadImageTest, FlippedBitInTheDataMakesTheCommandFail) {
  std::string bad = good_;
  bad[good_.size() / 2] ^= 4;
  WriteFile(path_, bad);
  const CommandOutcome verify = RunStillframe({"verify", path_});
  EXPECT_EQ(verify.exit_code, kExitDamaged) << verify.err;
  EXPECT_NE(verify.err, "");
}

TEST_F(BadImageTest, FutureVersionIsNamedAsSuch) {
  // The version is the first number behind the magic (docs/image-format.md).
  std::string bad = good_;
  bad[8] = static_cast<char>(bad[8] + 1);
  WriteFile(path_, bad);
  const CommandOutcome verify = RunStillframe({"verify", path_});
  EXPECT_EQ(verify.exit_code, kExitDamaged) << verify.err;
  EXPECT_NE(verify.err.find("version"), std::string::npos) << verify.err;
}

TEST_F(BadImageTest, CatOutsideTheImageIsAUsageError) {
  const std::string begin = std::to_string(memory_.begin.value);
  const std::vector<std::vector<std::string>> cases = {{"0", "1"},
                                                       {begin, "0x7fffffffffff"},
                                                       {"0xfffffffffffff000", "8192"},
                                                       {"here", "1"},
                                                       {begin, "-1"}};
  for (const auto& arguments : cases) {
    const CommandOutcome cat = RunStillframe({"cat", path_, arguments[0], arguments[1]});
    EXPECT_EQ(cat.exit_code, kExitUsage) << arguments[0] << " " << arguments[1] << cat.err;
    EXPECT_EQ(cat.out, "");
    EXPECT_NE(cat.err, "");
  }
}

TEST_F(BadImageTest, FileThatIsNotThere) {
  const CommandOutcome verify = RunStillframe({"verify", directory_ / "nothing"});
  EXPECT_NE(verify.exit_code, kExitDone);
  EXPECT_NE(verify.err.find("nothing"), std::string::npos) << verify.err;
}

}  // namespace
}  // namespace stillframe::test
