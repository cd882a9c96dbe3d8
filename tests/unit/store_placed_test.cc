// A file that is written at any place is there whole or not at all, and its holes are holes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <span>
#include <string>
#include <vector>

#include "store/placed_store.h"
#include "store/placed_write_behind.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

using Names = std::vector<std::string>;

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

void ExpectError(const Result<void>& result, ErrorCode code, const std::string& what) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_NE(result.error().message.find(what), std::string::npos) << result.error().message;
}

// Bytes on the disk.
uint64_t DiskUse(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return static_cast<uint64_t>(status.st_blocks) * 512;
}

// The same on every file system: with and without unnamed files, holes, copies by the kernel.
class PlacedStoreTest : public testing::TestWithParam<bool> {
 protected:
  Result<std::unique_ptr<PlacedStore>> Open(bool force = false) {
    const bool able = GetParam();
    return PlacedStore::Open(path_,
                             {.force = force, .unnamed = able, .holes = able, .copies = able});
  }
  Names WhileWriting() const { return GetParam() ? Names{} : Names{"core.partial"}; }

  test::TempDir directory_;
  std::string path_ = directory_ / "core";
};

INSTANTIATE_TEST_SUITE_P(AbleOrNot, PlacedStoreTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Able" : "NotAble"; });

TEST_P(PlacedStoreTest, BytesStandWhereTheyWereWrittenInAnyOrder) {
  auto store = Open();
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->WriteAt(8, BytesOf("ghi")));
  ASSERT_TRUE((*store)->WriteAt(0, BytesOf("abcdef")));
  ASSERT_TRUE((*store)->WriteAt(2, BytesOf("CD")));
  EXPECT_EQ((*store)->written().count, 11u);
  EXPECT_EQ(directory_.List(), WhileWriting());
  ASSERT_TRUE((*store)->Publish());
  store->reset();
  EXPECT_EQ(directory_.List(), Names{"core"});
  EXPECT_EQ(test::ReadFile(path_), std::string("abCDef\0\0ghi", 11));
}

TEST_P(PlacedStoreTest, NothingIsLeftWithoutPublish) {
  {
    auto store = Open();
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->WriteAt(0, BytesOf("abc")));
  }
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_P(PlacedStoreTest, WithForceTheOldFileStaysWholeUntilTheEnd) {
  test::WriteFile(path_, "old");
  EXPECT_EQ(Open().error().code, ErrorCode::kUsage);
  auto store = Open(/*force=*/true);
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->WriteAt(0, BytesOf("new")));
  EXPECT_EQ(test::ReadFile(path_), "old");
  ASSERT_TRUE((*store)->Publish());
  store->reset();
  EXPECT_EQ(test::ReadFile(path_), "new");
  EXPECT_EQ(directory_.List(), Names{"core"});
}

TEST_P(PlacedStoreTest, ErasedItReadsAsZeros) {
  auto store = Open();
  ASSERT_TRUE(store);
  const std::string text(300'000, 'x');
  ASSERT_TRUE((*store)->WriteAt(0, BytesOf(text)));
  if (!(*store)->MakeHole(4096, Bytes{200'000})) {
    ASSERT_TRUE((*store)->WriteZeros(4096, Bytes{200'000}));
  }
  ASSERT_TRUE((*store)->Publish());
  EXPECT_TRUE(test::ReadFile(path_) == std::string(4096, 'x') + std::string(200'000, '\0') +
                                           std::string(300'000 - 4096 - 200'000, 'x'));
}

TEST_P(PlacedStoreTest, ACopyLeavesItsSource) {
  auto store = Open();
  ASSERT_TRUE(store);
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += static_cast<char>('a' + i % 23);
  ASSERT_TRUE((*store)->WriteAt(8192, BytesOf(text)));
  const uint64_t to = uint64_t{3} << 20;
  ASSERT_TRUE((*store)->Copy(8192, to, Bytes{text.size()}));
  EXPECT_EQ((*store)->written().count, 2 * text.size());
  ASSERT_TRUE((*store)->Publish());
  const std::string file = test::ReadFile(path_);
  EXPECT_TRUE(file.substr(8192, text.size()) == text);
  EXPECT_TRUE(file.substr(to) == text);
}

TEST_P(PlacedStoreTest, SetToASizeTheRestIsAHole) {
  auto store = Open();
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->WriteAt(0, BytesOf("abcdef")));
  ASSERT_TRUE((*store)->SetSize(Bytes{4}));
  ASSERT_TRUE((*store)->SetSize(GiB(64)));
  ASSERT_TRUE((*store)->Publish());
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(static_cast<uint64_t>(status.st_size), GiB(64).count);
  EXPECT_LE(DiskUse(path_), KiB(64).count);
}

TEST_P(PlacedStoreTest, InterruptedItWritesAndNamesNothing) {
  auto store = Open();
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->WriteAt(0, BytesOf("abc")));
  (*store)->Interrupt();
  ExpectError((*store)->WriteAt(3, BytesOf("def")), ErrorCode::kInterrupted, "interrupted");
  ExpectError((*store)->Copy(0, 4096, Bytes{3}), ErrorCode::kInterrupted, "interrupted");
  ExpectError((*store)->Publish(), ErrorCode::kInterrupted, "interrupted");
  store->reset();
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_P(PlacedStoreTest, TheFileSizeLimitIsAnErrorAndNoSignal) {
  auto store = Open();
  ASSERT_TRUE(store);
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{.rlim_cur = 8192, .rlim_max = old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written = (*store)->WriteAt(8192, BytesOf("abc"));
  const auto resized = (*store)->SetSize(Bytes{8193});
  const auto fits = (*store)->WriteAt(0, BytesOf(std::string(8192, 'x')));
  const auto copied = (*store)->Copy(0, 8192, Bytes{8192});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  ExpectError(written, ErrorCode::kOutput, "File too large");
  ExpectError(resized, ErrorCode::kOutput, "File too large");
  EXPECT_NE(resized.error().hint.find("ulimit"), std::string::npos);
  EXPECT_TRUE(fits);
  ExpectError(copied, ErrorCode::kOutput, "File too large");
}

TEST(PlacedStore, AHoleGivesTheDiskBack) {
  const test::TempDir directory;
  auto store = PlacedStore::Open(directory / "core", {});
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->WriteAt(0, BytesOf(std::string(1 << 20, 'x'))));
  ASSERT_TRUE((*store)->WriteAt(GiB(8).count, BytesOf(std::string(1 << 20, 'y'))));
  EXPECT_TRUE((*store)->MakeHole(0, Bytes{1 << 20}));
  ASSERT_TRUE((*store)->Publish());
  EXPECT_LE(DiskUse(directory / "core"), MiB(1).count + KiB(64).count);
}

TEST(PlacedStore, WhereThereAreNoHolesItSaysSoAndNothingIsDone) {
  const test::TempDir directory;
  auto store = PlacedStore::Open(directory / "core", {.holes = false});
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->WriteAt(0, BytesOf("abc")));
  EXPECT_FALSE((*store)->MakeHole(0, Bytes{3}));
  ASSERT_TRUE((*store)->Publish());
  EXPECT_EQ(test::ReadFile(directory / "core"), "abc");
}

// How many of a file's pages are in the page cache, by what the kernel says (mincore would want a
// mapping; preadv2 with RWF_NOWAIT fails for a page that is not there).
size_t CachedPages(int fd, uint64_t begin, uint64_t pages) {
  size_t cached = 0;
  for (uint64_t i = 0; i < pages; ++i) {
    std::byte byte{};
    iovec part{.iov_base = &byte, .iov_len = 1};
    cached += preadv2(fd, &part, 1, static_cast<off_t>(begin + i * 4096), RWF_NOWAIT) == 1;
  }
  return cached;
}

TEST(PlacedWriteBehind, WhatWasFilledLongAgoIsDroppedFromTheCache) {
  const test::TempDir directory;
  const int fd = open((directory / "file").c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ASSERT_GE(fd, 0);
  const std::string window(MiB(8).count, 'x');
  PlacedWriteBehind behind(fd);
  // Every second window is filled, from the last one on.
  for (int i = 7; i >= 0; --i) {
    const uint64_t offset = static_cast<uint64_t>(i) * MiB(16).count;
    ASSERT_EQ(pwrite(fd, window.data(), window.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(window.size()));
    EXPECT_EQ(behind.OnWritten(offset, MiB(8)), 0);
  }
  struct statfs status {};
  ASSERT_EQ(fstatfs(fd, &status), 0);
  constexpr uint64_t kPages = MiB(8).count / 4096;
  const size_t first = CachedPages(fd, 7 * MiB(16).count, kPages);
  const size_t last = CachedPages(fd, 0, kPages);
  close(fd);
  if (status.f_type == TMPFS_MAGIC) GTEST_SKIP() << "a tmpfs has no cache to drop from";
  EXPECT_LE(first, kPages / 16);
  EXPECT_GT(last, 0u);
}

}  // namespace
}  // namespace stillframe
