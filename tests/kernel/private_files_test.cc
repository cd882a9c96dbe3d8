// Written private mappings of files: which of their pages a save copies while the target runs and
// which inside its pause, and that nothing is left of it in the target.
#include "save/private_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "fault/fault_channel.h"
#include "save/file_release.h"
#include "stillframe/save.h"
#include "stillframe/target.h"

namespace stillframe {
namespace {

constexpr size_t kPage = kPageSize.count;
constexpr size_t kPages = 1024;
constexpr size_t kOfFile = 16;  // the last ones are never written

// What it was told of each page last, and by whom.
class RecordingSink final : public PageSink {
 public:
  struct Page {
    std::vector<std::byte> bytes;
    PageSource source;
  };
  RecordingSink(bool repeats, std::map<TargetAddress, Page>* pages)
      : repeats_(repeats), pages_(pages) {}

  Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                     PageSource source) override {
    for (size_t at = 0; at < pages.size(); at += kPage) {
      const auto page = pages.subspan(at, kPage);
      (*pages_)[address + Bytes{at}] = {{page.begin(), page.end()}, source};
    }
    return {};
  }
  Result<void> Zero(AddressRange) override { return {}; }
  Result<void> Lost(AddressRange, std::string_view) override { return {}; }
  Result<void> Finish(const ImageMetadata&) override { return {}; }
  void Interrupt() override {}
  Result<void> AllowRepeats() override {
    return repeats_ ? Result<void>() : PageSink::AllowRepeats();
  }
  SinkCounters counters() const override { return {}; }

 private:
  bool repeats_;
  std::map<TargetAddress, Page>* pages_;
};

size_t MappingsOf(pid_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) ++count;
  return count;
}

class PrivateFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    file_.reset(memfd_create("file", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(file_.get(), kPages * kPage), 0);
    std::vector<char> page(kPage, 'f');
    for (size_t i = 0; i < kPages; ++i) {
      ASSERT_EQ(pwrite(file_.get(), page.data(), kPage, static_cast<off_t>(i * kPage)),
                static_cast<ssize_t>(kPage));
    }
    memory_ = static_cast<char*>(
        mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_.get(), 0));
    for (size_t i = 0; i < kPages - kOfFile; ++i) {
      std::memset(memory_ + i * kPage, static_cast<int>(1 + i % 255), kPage);
    }
    child_ = fork();
    if (child_ == 0) {
      // Its own copies, not those that it shares with its parent.
      for (size_t i = 0; i < kPages - kOfFile; ++i) memory_[i * kPage + 1] = 'c';
      for (;;) pause();
    }
    auto target = AttachProcess(child_);
    if (!target) GTEST_SKIP() << "*** SKIPPED *** " << target.error().message;
    target_ = *std::move(target);
  }
  void TearDown() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    munmap(memory_, kPages * kPage);
  }

  Result<SaveSummary> Save(bool repeats) {
    while (!Written()) usleep(1000);
    auto session =
        SaveSession::Create(std::move(target_), std::make_unique<RecordingSink>(repeats, &pages_),
                            {.on_full = OnFull::kWait});
    if (!session) return tl::unexpected(session.error());
    return (*session)->Run();
  }
  // Whether the child has written all of it.
  bool Written() const {
    char byte = 0;
    const iovec to{.iov_base = &byte, .iov_len = 1};
    const TargetAddress last = AddressOf(kPages - kOfFile - 1) + Bytes{1};
    return target_->Read(last, {&to, 1}).copied.count == 1 && byte == 'c';
  }
  TargetAddress AddressOf(size_t page) const {
    return {reinterpret_cast<uint64_t>(memory_) + page * kPage};
  }
  // How many pages of the mapping came from `source`; each of them as it is in the child.
  size_t CountFrom(PageSource source) {
    size_t count = 0;
    for (size_t i = 0; i < kPages; ++i) {
      const auto found = pages_.find(AddressOf(i));
      if (found == pages_.end()) {
        ADD_FAILURE() << "page " << i << " was not saved";
        continue;
      }
      std::vector<std::byte> expected(kPage, std::byte{'f'});
      if (i < kPages - kOfFile) {
        std::memset(expected.data(), static_cast<int>(1 + i % 255), kPage);
        expected[1] = std::byte{'c'};
      }
      EXPECT_EQ(found->second.bytes, expected) << "page " << i;
      if (found->second.source == source) ++count;
    }
    return count;
  }

  UniqueFd file_;
  char* memory_ = nullptr;
  pid_t child_ = -1;
  std::unique_ptr<Target> target_;
  std::map<TargetAddress, RecordingSink::Page> pages_;
};

TEST_F(PrivateFilesTest, TheOnlyPagesCopiedInThePauseAreThoseOfTheFile) {
  if (!target_->OpenSecondUserfaultfd(std::chrono::seconds(2)) ||
      !FaultChannel::ConnectAsync(target_->second_userfaultfd())) {
    GTEST_SKIP() << "*** SKIPPED *** this kernel can't watch mappings of files";
  }
  auto fresh = AttachProcess(child_);
  ASSERT_TRUE(fresh) << fresh.error().message;
  target_ = *std::move(fresh);
  const size_t mappings = MappingsOf(child_);
  const auto saved = Save(true);
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(CountFrom(PageSource::kPaused), kOfFile);
  EXPECT_EQ(CountFrom(PageSource::kScanned), kPages - kOfFile);
  EXPECT_GE(saved->rounds.count, 2);
  EXPECT_GE(saved->rounds.copied, ToBytes(Pages{kPages - kOfFile}));
  EXPECT_EQ(MappingsOf(child_), mappings);
}

// As on a kernel that doesn't know the mode: the descriptor has agreed on another one.
TEST_F(PrivateFilesTest, WithoutTheKernelsOwnOpeningAllAreCopiedInThePause) {
  ASSERT_TRUE(target_->OpenSecondUserfaultfd(std::chrono::seconds(2)));
  ASSERT_TRUE(FaultChannel::Connect(target_->second_userfaultfd()));
  const auto saved = Save(true);
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(CountFrom(PageSource::kPaused), kPages);
  EXPECT_EQ(saved->rounds.count, 0);
}

TEST_F(PrivateFilesTest, ForASinkThatTakesEachPageOnceAllAreCopiedInThePause) {
  const auto saved = Save(false);
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(CountFrom(PageSource::kPaused), kPages);
  EXPECT_EQ(saved->rounds.count, 0);
}

TEST_F(PrivateFilesTest, TheSecondDescriptorIsOfTheSameMemoryAndNothingIsLeftOfItInTheTarget) {
  const auto attached = target_->AttachDuration();
  EXPECT_EQ(target_->second_userfaultfd(), -1);
  ASSERT_TRUE(target_->OpenSecondUserfaultfd(std::chrono::seconds(2)));
  const int second = target_->second_userfaultfd();
  EXPECT_GE(second, 0);
  EXPECT_NE(second, target_->userfaultfd());
  EXPECT_GT(target_->AttachDuration(), attached);
  ASSERT_TRUE(target_->OpenSecondUserfaultfd(std::chrono::seconds(2)));
  EXPECT_EQ(target_->second_userfaultfd(), second);
  // What one has, the other can't get.
  const auto first_channel = FaultChannel::Connect(target_->userfaultfd());
  const auto channel = FaultChannel::ConnectAsync(second);
  if (!channel) GTEST_SKIP() << "*** SKIPPED *** " << channel.error().message;
  const AddressRange range{AddressOf(0), AddressOf(kPages)};
  EXPECT_EQ(channel->Register(range), RegisterOutcome::kDone);
  EXPECT_EQ(first_channel->Register(range), RegisterOutcome::kTaken);
  target_->CloseUserfaultfd();
  EXPECT_EQ(target_->second_userfaultfd(), -1);
  EXPECT_EQ(target_->userfaultfd(), -1);
  const std::string links = "/proc/" + std::to_string(child_) + "/fd/";
  for (int fd = 0; fd < 64; ++fd) {
    char to[64] = {};
    if (readlink((links + std::to_string(fd)).c_str(), to, sizeof(to) - 1) < 0) continue;
    EXPECT_EQ(std::string(to).find("userfaultfd"), std::string::npos) << fd;
  }
}

TEST_F(PrivateFilesTest, AMappingIsWholeAgainAfterItsRelease) {
  ASSERT_TRUE(target_->OpenSecondUserfaultfd(std::chrono::seconds(2)));
  const auto channel = FaultChannel::ConnectAsync(target_->second_userfaultfd());
  if (!channel) GTEST_SKIP() << "*** SKIPPED *** " << channel.error().message;
  const size_t mappings = MappingsOf(child_);
  const AddressRange range{AddressOf(0), AddressOf(kPages)};
  const PageWatch watch(target_->pagemap());
  ASSERT_EQ(channel->Register(range), RegisterOutcome::kDone);
  EXPECT_TRUE(*watch.IsWatched(range));
  ReleaseFiles(*target_, *channel, [&](AddressRange mapping) { return mapping.Overlaps(range); });
  EXPECT_FALSE(*watch.IsWatched({AddressOf(kPages - 1), AddressOf(kPages)}));
  EXPECT_EQ(MappingsOf(child_), mappings);
}

}  // namespace
}  // namespace stillframe
