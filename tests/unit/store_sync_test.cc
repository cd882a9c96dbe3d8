// Power may go at any moment: the bytes are on the disk before the name is, and the name is before
// anybody is told that the image is complete.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "store/file_store.h"
#include "store/placed_store.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace {

using Steps = std::vector<std::string>;

// What the store asked of the kernel, and what fails.
struct Calls {
  Steps steps;
  int file_sync_error = 0;
  int directory_sync_error = 0;
  // Of the waits for parts of a file, which one fails, from 1 on, and how.
  int failing_wait = 0;
  int wait_error = 0;
  int waits = 0;
};

Calls* calls = nullptr;

int Done(const char* step, long result) {
  if (calls != nullptr) calls->steps.push_back(result == 0 ? step : std::string(step) + ": failed");
  return static_cast<int>(result);
}

}  // namespace

// In place of those of the C library: each does what it should, and is noted.
extern "C" {

int fsync(int fd) {
  struct stat status {};
  fstat(fd, &status);
  const bool directory = S_ISDIR(status.st_mode);
  const int error = calls == nullptr ? 0
                    : directory      ? calls->directory_sync_error
                                     : calls->file_sync_error;
  const std::string what =
      directory ? "sync directory" : "sync " + std::to_string(status.st_size) + " bytes";
  if (error == 0) return Done(what.c_str(), syscall(SYS_fsync, fd));
  errno = error;
  return Done(what.c_str(), -1);
}

int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
  const bool waits = (flags & SYNC_FILE_RANGE_WAIT_AFTER) != 0;
  if (calls != nullptr && waits && ++calls->waits == calls->failing_wait) {
    errno = calls->wait_error;
    return -1;
  }
  return static_cast<int>(syscall(SYS_sync_file_range, fd, offset, length, flags));
}

int linkat(int from_directory, const char* from, int to_directory, const char* to,
           int flags) noexcept {
  return Done("link", syscall(SYS_linkat, from_directory, from, to_directory, to, flags));
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  return Done("rename", syscall(SYS_renameat, from_directory, from, to_directory, to));
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned flags) noexcept {
  return Done("rename", syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
}

}  // extern "C"

namespace stillframe {
namespace {

class StoreSyncTest : public testing::Test {
 protected:
  StoreSyncTest() { calls = &calls_; }
  ~StoreSyncTest() override { calls = nullptr; }

  Result<void> WriteAndPublish(const FileStore::Options& options) {
    STILLFRAME_ASSIGN(auto store, FileStore::Open(path_, options));
    std::string text = "abcdef";
    const iovec part{.iov_base = text.data(), .iov_len = text.size()};
    STILLFRAME_TRY(store->Append({&part, 1}));
    STILLFRAME_TRY(store->Append({&part, 1}));
    return store->Publish();
  }

  Calls calls_;
  test::TempDir directory_;
  std::string path_ = directory_ / "image";
};

TEST_F(StoreSyncTest, UnnamedFileThenItsNameThenTheDirectory) {
  ASSERT_TRUE(WriteAndPublish({}).has_value());
  EXPECT_EQ(calls_.steps, (Steps{"sync 12 bytes", "link", "sync directory"}));
}

// What went past the page cache is there by then, and the room taken ahead of it is not.
TEST_F(StoreSyncTest, LargeFileIsOfItsSizeWhenItIsSynced) {
  const std::string text(MiB(1).count + 1, 'x');
  const iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  auto store = FileStore::Open(path_, {});
  ASSERT_TRUE(store.has_value());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE((*store)->Append({&part, 1}).has_value());
  ASSERT_TRUE((*store)->Publish().has_value());
  const std::string size = std::to_string(20 * text.size());
  EXPECT_EQ(calls_.steps, (Steps{"sync " + size + " bytes", "link", "sync directory"}));
}

TEST_F(StoreSyncTest, PartialFileThenItsNameThenTheDirectory) {
  ASSERT_TRUE(WriteAndPublish({.unnamed = false}).has_value());
  EXPECT_EQ(calls_.steps, (Steps{"sync 12 bytes", "rename", "sync directory"}));
}

TEST_F(StoreSyncTest, ReplacementThenItsNameThenTheDirectory) {
  test::WriteFile(path_, "old");
  ASSERT_TRUE(WriteAndPublish({.force = true}).has_value());
  EXPECT_EQ(calls_.steps,
            (Steps{"sync 12 bytes", "link: failed", "link", "rename", "sync directory"}));
}

TEST_F(StoreSyncTest, FileThatCannotBeSyncedGetsNoName) {
  calls_.file_sync_error = EIO;
  const auto published = WriteAndPublish({});
  ASSERT_FALSE(published.has_value());
  EXPECT_EQ(published.error().code, ErrorCode::kOutput);
  EXPECT_EQ(calls_.steps, (Steps{"sync 12 bytes: failed"}));
  EXPECT_EQ(directory_.List(), Steps{});
}

TEST_F(StoreSyncTest, NameThatCannotBeSyncedIsTakenBack) {
  calls_.directory_sync_error = EIO;
  const auto published = WriteAndPublish({});
  ASSERT_FALSE(published.has_value());
  EXPECT_EQ(published.error().code, ErrorCode::kOutput);
  EXPECT_EQ(calls_.steps.back(), "sync directory: failed");
  EXPECT_EQ(directory_.List(), Steps{});
}

TEST_F(StoreSyncTest, FileSystemThatCannotSyncADirectoryIsTakenAsItIs) {
  calls_.directory_sync_error = EINVAL;
  EXPECT_TRUE(WriteAndPublish({}).has_value());
  EXPECT_EQ(directory_.List(), Steps{"image"});
}

// The kernel tells of each failure once only: whoever waited has it, and fsync says nothing.
TEST_F(StoreSyncTest, PartThatDidNotReachTheDiskIsNotForgotten) {
  const std::string text(MiB(1).count, 'x');
  const iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  for (const int error : {EIO, ENOSPC}) {
    calls_ = {.steps = {}, .failing_wait = 2, .wait_error = error};
    auto store = FileStore::Open(path_, {.direct = false});
    ASSERT_TRUE(store.has_value());
    Result<void> appended;
    for (int i = 0; i < 40 && appended; ++i) appended = (*store)->Append({&part, 1});
    ASSERT_FALSE(appended.has_value());
    EXPECT_EQ(appended.error().code, ErrorCode::kOutput);
    EXPECT_EQ(appended.error().system_errno, error);
    EXPECT_EQ(calls_.waits, 2);
  }
  EXPECT_EQ(directory_.List(), Steps{});
}

TEST_F(StoreSyncTest, PartOfACoreThatDidNotReachTheDiskIsNotForgotten) {
  const std::vector<std::byte> bytes(MiB(1).count, std::byte{7});
  calls_.failing_wait = 1;
  calls_.wait_error = ENOSPC;
  auto store = PlacedStore::Open(path_, {});
  ASSERT_TRUE(store.has_value());
  Result<void> written;
  for (uint64_t i = 0; i < 400 && written; ++i)
    written = (*store)->WriteAt(i * bytes.size(), bytes);
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code, ErrorCode::kOutput);
  EXPECT_EQ(written.error().system_errno, ENOSPC);
  EXPECT_EQ(directory_.List(), Steps{});
}

TEST_F(StoreSyncTest, FileSystemThatCannotWriteAPartOfAFileIsTakenAsItIs) {
  const std::string text(MiB(1).count, 'x');
  const iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  calls_.failing_wait = 1;
  calls_.wait_error = ESPIPE;
  auto store = FileStore::Open(path_, {.direct = false});
  ASSERT_TRUE(store.has_value());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE((*store)->Append({&part, 1}).has_value());
  ASSERT_TRUE((*store)->Publish().has_value());
  EXPECT_GE(calls_.waits, 1);
}

}  // namespace
}  // namespace stillframe
