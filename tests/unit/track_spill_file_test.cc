#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "support/temp_dir.h"
#include "track/spill_directory.h"
#include "track/spill_file.h"

namespace stillframe {
namespace {

// On a disk where there is one: $TMPDIR may be in memory.
std::string Directory() { return "/var/tmp"; }

// The descriptors of this process that lead to an unnamed file.
std::vector<int> UnnamedFiles() {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const std::string to = std::filesystem::read_symlink(entry.path(), ignored).string();
    struct stat about {};
    const int fd = std::stoi(entry.path().filename().string());
    if (to.ends_with(" (deleted)") && fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
      found.push_back(fd);
    }
  }
  return found;
}

class SpillFileTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<int> before = UnnamedFiles();
    auto made = CreateSpillFile(Directory());
    ASSERT_TRUE(made) << made.error().message;
    file_ = std::move(*made);
    for (const int fd : UnnamedFiles()) {
      if (std::find(before.begin(), before.end(), fd) == before.end()) fd_ = fd;
    }
    ASSERT_GE(fd_, 0) << "it has a name";
  }
  struct stat Status() const {
    struct stat about {};
    EXPECT_EQ(fstat(fd_, &about), 0);
    return about;
  }
  static std::vector<std::byte> PageOf(int value) {
    return std::vector<std::byte>(kPageSize.count, static_cast<std::byte>(value));
  }

  std::unique_ptr<SpillFile> file_;
  int fd_ = -1;
};

TEST_F(SpillFileTest, HasNoNameAndIsForItsOwnerOnly) {
  EXPECT_EQ(Status().st_mode & 07777, 0600u);
  EXPECT_EQ(Status().st_nlink, 0u);
  EXPECT_NE(fcntl(fd_, F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(SpillFileTest, ReadsWhatWasWrittenInAnyOrder) {
  std::vector<std::vector<std::byte>> pages;
  std::vector<iovec> parts;
  for (int i = 0; i < 200; ++i) pages.push_back(PageOf(i));
  for (auto& page : pages) parts.push_back({.iov_base = page.data(), .iov_len = page.size()});
  ASSERT_TRUE(file_->Write(Bytes{0}, parts));
  const iovec again{.iov_base = pages[7].data(), .iov_len = kPageSize.count};
  ASSERT_TRUE(file_->Write(kPageSize * 3, {&again, 1}));
  std::vector<std::byte> read(kPageSize.count * 2);
  ASSERT_TRUE(file_->Read(kPageSize * 199, std::span(read).first(kPageSize.count)));
  EXPECT_EQ(read[0], std::byte{199});
  ASSERT_TRUE(file_->Read(kPageSize * 2, read));
  EXPECT_EQ(read[0], std::byte{2});
  EXPECT_EQ(read[kPageSize.count], std::byte{7});
}

TEST_F(SpillFileTest, GivesItsSpaceBack) {
  std::vector<std::byte> much(MiB(1).count, std::byte{1});
  const iovec part{.iov_base = much.data(), .iov_len = much.size()};
  ASSERT_TRUE(file_->Write(Bytes{0}, {&part, 1}));
  ASSERT_EQ(fsync(fd_), 0);
  const auto before = Status().st_blocks;
  ASSERT_GE(before, 2048);
  file_->GiveBack(Bytes{0}, MiB(1));
  EXPECT_LT(Status().st_blocks, before);
}

TEST_F(SpillFileTest, ReadingWhatIsNotThereIsAnError) {
  std::vector<std::byte> read(kPageSize.count);
  const auto result = file_->Read(MiB(1), read);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutput);
}

TEST(SpillDirectoryTest, ADirectoryThatIsNotThereIsAnErrorWithAHint) {
  const test::TempDir directory;
  const auto found = FindSpillDirectory(directory / "none");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kOutput);
  EXPECT_NE(found.error().hint, "");
  const auto created = CreateSpillFile(directory / "none");
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::kOutput);
}

TEST(SpillDirectoryTest, OneInMemoryIsTakenWhenItWasNamed) {
  if (access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "no /dev/shm";
  const auto found = FindSpillDirectory("/dev/shm");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->path, "/dev/shm");
}

TEST(SpillDirectoryTest, TheLimitIsTheSmallerOfWhatIsToBeSavedAndHalfOfWhatIsFree) {
  EXPECT_EQ(DefaultSpillLimit(GiB(1), GiB(10)), GiB(1));
  EXPECT_EQ(DefaultSpillLimit(GiB(8), GiB(10)), GiB(5));
  EXPECT_EQ(DefaultSpillLimit(GiB(8), Bytes{0}), Bytes{0});
}

}  // namespace
}  // namespace stillframe
