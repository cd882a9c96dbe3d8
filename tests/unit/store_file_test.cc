// An image in a file is there whole or not at all.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "store/file_store.h"
#include "store/iovec_cursor.h"
#include "store/store.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

using Names = std::vector<std::string>;

iovec Part(std::string& text) { return {.iov_base = text.data(), .iov_len = text.size()}; }

Result<void> AppendText(Store& store, std::string text) {
  const iovec part = Part(text);
  return store.Append({&part, 1});
}

void ExpectError(const Result<void>& result, ErrorCode code, const std::string& what) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_NE(result.error().message.find(what), std::string::npos) << result.error().message;
}

// The same with and without unnamed files.
class FileStoreTest : public testing::TestWithParam<bool> {
 protected:
  Result<std::unique_ptr<Store>> Open(bool force = false) {
    return FileStore::Open(path_, {.force = force, .unnamed = GetParam()});
  }
  Names WhileWriting() const { return GetParam() ? Names{} : Names{"image.partial"}; }

  test::TempDir directory_;
  std::string path_ = directory_ / "image";
};

INSTANTIATE_TEST_SUITE_P(UnnamedOrPartial, FileStoreTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Unnamed" : "Partial"; });

TEST_P(FileStoreTest, TheNameIsThereOnlyWhenItIsComplete) {
  auto store = Open();
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE(AppendText(**store, "abc"));
  ASSERT_TRUE(AppendText(**store, "def"));
  EXPECT_EQ((*store)->position().count, 6u);
  EXPECT_EQ(directory_.List(), WhileWriting());
  ASSERT_TRUE((*store)->Publish());
  EXPECT_EQ(directory_.List(), Names{"image"});
  store->reset();
  EXPECT_EQ(directory_.List(), Names{"image"});
  EXPECT_EQ(test::ReadFile(path_), "abcdef");
}

TEST_P(FileStoreTest, NothingIsLeftWithoutPublish) {
  {
    auto store = Open();
    ASSERT_TRUE(store);
    ASSERT_TRUE(AppendText(**store, "abc"));
  }
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_P(FileStoreTest, OnlyItsOwnerMayReadIt) {
  for (const mode_t mask : {0777u, 0u}) {
    const mode_t old = umask(mask);
    auto store = Open(/*force=*/true);
    umask(old);
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->Publish());
    struct stat status;
    ASSERT_EQ(stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
  }
}

TEST_P(FileStoreTest, AnExistingFileIsRefusedBeforeAnythingIsWritten) {
  test::WriteFile(path_, "old");
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUsage);
  EXPECT_NE(store.error().hint.find("--force"), std::string::npos);
  EXPECT_EQ(test::ReadFile(path_), "old");
  EXPECT_EQ(directory_.List(), Names{"image"});
}

TEST_P(FileStoreTest, AFileThatTurnsUpMeanwhileIsNotOverwritten) {
  auto store = Open();
  ASSERT_TRUE(store);
  test::WriteFile(path_, "other");
  ExpectError((*store)->Publish(), ErrorCode::kUsage, "turned up meanwhile");
  store->reset();
  EXPECT_EQ(test::ReadFile(path_), "other");
  EXPECT_EQ(directory_.List(), Names{"image"});
}

TEST_P(FileStoreTest, WithForceTheOldFileStaysWholeUntilTheEnd) {
  test::WriteFile(path_, "old");
  auto store = Open(/*force=*/true);
  ASSERT_TRUE(store);
  ASSERT_TRUE(AppendText(**store, "new"));
  EXPECT_EQ(test::ReadFile(path_), "old");
  ASSERT_TRUE((*store)->Publish());
  EXPECT_EQ(test::ReadFile(path_), "new");
  store->reset();
  EXPECT_EQ(directory_.List(), Names{"image"});
}

TEST_P(FileStoreTest, WithForceAndNoOldFileItIsAsWithout) {
  auto store = Open(/*force=*/true);
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->Publish());
  store->reset();
  EXPECT_EQ(directory_.List(), Names{"image"});
}

TEST_P(FileStoreTest, GivenUpWithForceTheOldFileStays) {
  test::WriteFile(path_, "old");
  {
    auto store = Open(/*force=*/true);
    ASSERT_TRUE(store);
    ASSERT_TRUE(AppendText(**store, "new"));
  }
  EXPECT_EQ(test::ReadFile(path_), "old");
  EXPECT_EQ(directory_.List(), Names{"image"});
}

TEST_P(FileStoreTest, AReplacementThatFailsLeavesNoTemporaryName) {
  auto store = Open(/*force=*/true);
  ASSERT_TRUE(store);
  // A directory can't be replaced by a file.
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  EXPECT_FALSE((*store)->Publish());
  store->reset();
  EXPECT_EQ(directory_.List(), Names{"image"});
}

TEST_P(FileStoreTest, InterruptedItWritesAndNamesNothing) {
  auto store = Open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(AppendText(**store, "abc"));
  (*store)->Interrupt();
  ExpectError(AppendText(**store, "def"), ErrorCode::kInterrupted, "interrupted");
  ExpectError((*store)->Publish(), ErrorCode::kInterrupted, "interrupted");
  EXPECT_EQ((*store)->position().count, 3u);
  store->reset();
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_P(FileStoreTest, TheFileSizeLimitIsAnErrorAndNoSignal) {
  auto store = Open();
  ASSERT_TRUE(store);
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{.rlim_cur = 1000, .rlim_max = old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto result = AppendText(**store, std::string(5000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  ExpectError(result, ErrorCode::kOutput, "File too large");
  EXPECT_NE(result.error().hint.find("ulimit"), std::string::npos);
  EXPECT_EQ((*store)->position().count, 1000u);
  store->reset();
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_P(FileStoreTest, ADirectoryThatIsMissingIsNamed) {
  path_ = directory_ / "missing/image";
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kOutput);
  EXPECT_NE(store.error().message.find(directory_ / "missing"), std::string::npos);
}

TEST_P(FileStoreTest, ADirectoryIsNoFile) {
  for (const char* name : {"", ".", ".."}) {
    path_ = directory_ / name;
    const auto store = Open();
    ASSERT_FALSE(store) << name;
    EXPECT_EQ(store.error().code, ErrorCode::kUsage);
  }
}

TEST_P(FileStoreTest, MoreThanAWindowArrivesInOrder) {
  auto store = Open();
  ASSERT_TRUE(store);
  std::string expected;
  for (int i = 0; i < 21; ++i) {
    const std::string piece((1 << 20) + 1, static_cast<char>('a' + i));
    ASSERT_TRUE(AppendText(**store, piece));
    expected += piece;
  }
  ASSERT_TRUE((*store)->Publish());
  EXPECT_TRUE(test::ReadFile(path_) == expected);
}

TEST(FileStore, APartialFileOfAnotherSaveIsNotTouched) {
  const test::TempDir directory;
  test::WriteFile(directory / "image.partial", "theirs");
  const auto store = FileStore::Open(directory / "image", {.force = true, .unnamed = false});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUsage);
  EXPECT_NE(store.error().hint.find("remove it"), std::string::npos);
  EXPECT_EQ(test::ReadFile(directory / "image.partial"), "theirs");
}

TEST(OpenStore, ALinkToAFileIsFollowedAndStays) {
  const test::TempDir directory;
  test::WriteFile(directory / "file", "old");
  ASSERT_EQ(symlink("file", (directory / "link").c_str()), 0);
  EXPECT_EQ(OpenStore({.path = directory / "link"}).error().code, ErrorCode::kUsage);
  auto store = OpenStore({.path = directory / "link", .force = true});
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE(AppendText(**store, "new"));
  ASSERT_TRUE((*store)->Publish());
  EXPECT_EQ(test::ReadFile(directory / "file"), "new");
  EXPECT_EQ(directory.List(), (Names{"file", "link"}));
}

TEST(OpenStore, ALinkToNothingIsRefused) {
  const test::TempDir directory;
  ASSERT_EQ(symlink("nothing", (directory / "link").c_str()), 0);
  for (const bool force : {false, true}) {
    const auto store = OpenStore({.path = directory / "link", .force = force});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::kUsage);
  }
}

TEST(OpenStore, ADirectoryIsRefusedEvenWithForce) {
  const test::TempDir directory;
  const auto store = OpenStore({.path = directory.path(), .force = true});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUsage);
}

TEST(IovecCursor, PartsAreTakenInOrderWhateverTheSteps) {
  std::array<std::string, 5> texts{"", "abc", "", "defgh", "i"};
  std::array<iovec, 5> parts;
  for (size_t i = 0; i < texts.size(); ++i) parts[i] = Part(texts[i]);
  for (size_t limit = 1; limit < 12; ++limit) {
    for (size_t taken = 1; taken <= limit; ++taken) {
      std::string seen;
      for (IovecCursor cursor(parts); !cursor.done();) {
        std::string step;
        for (const iovec& part : cursor.Next(limit)) {
          step.append(static_cast<const char*>(part.iov_base), part.iov_len);
        }
        ASSERT_FALSE(step.empty());
        ASSERT_LE(step.size(), limit);
        step.resize(std::min(step.size(), taken));
        seen += step;
        cursor.Consume(step.size());
      }
      EXPECT_EQ(seen, "abcdefghi") << limit << " " << taken;
    }
  }
}

}  // namespace
}  // namespace stillframe
