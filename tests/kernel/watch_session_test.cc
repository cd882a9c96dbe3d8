// Images of a watched process, one after the other, each held against a copy that was made while
// the process stood still.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "stillframe/image.h"
#include "stillframe/image_reader.h"
#include "stillframe/target.h"
#include "stillframe/watch.h"
#include "support/requirements.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr size_t kPage = kPageSize.count;
constexpr size_t kMemory = 16 << 20;
constexpr size_t kFar = size_t{1} << 30;  // reserved behind it, nothing there

// What a program can do to its memory, as fast as it can.
[[noreturn]] void Live(char* memory, bool busy) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto write = [memory](uint64_t seed) {
    std::mt19937_64 random(seed);
    for (;;) {
      char* page = memory + random() % (kMemory / kPage) * kPage;
      const uint64_t value = random() % 4 == 0 ? 0 : random();
      std::memcpy(page + random() % (kPage / 8) * 8, &value, sizeof(value));
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; busy && i < 2; ++i) threads.emplace_back(write, i);
  std::mt19937_64 random(7);
  char* moved = nullptr;
  for (;;) {
    if (!busy) {
      pause();
      continue;
    }
    char* at = memory + random() % (kMemory / kPage - 16) * kPage;
    switch (random() % 5) {
      case 0:
        madvise(at, 16 * kPage, MADV_DONTNEED);
        break;
      case 1:  // something else at an address that had pages
        mmap(at, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        break;
      case 2:
        if (moved == nullptr) {
          moved = static_cast<char*>(mmap(nullptr, 8 * kPage, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
        }
        moved[random() % (8 * kPage)] = 1;
        break;
      case 3:  // moved to an address that had other pages
        if (moved != nullptr) {
          mremap(moved, 8 * kPage, 8 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, at);
          moved = nullptr;
        }
        break;
      case 4:
        memory[kMemory + random() % (kFar / kPage) * kPage] = 1;
        madvise(memory + kMemory, kFar, MADV_DONTNEED);
        break;
    }
    usleep(200);
  }
}

class WatchSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(test::MissingRoot());
    STILLFRAME_REQUIRE(test::MissingUserfaultfd());
  }
  void TearDown() override {
    session_.reset();
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  void Start(bool busy) {
    memory_ = static_cast<char*>(mmap(nullptr, kMemory + kFar, PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    ASSERT_NE(memory_, MAP_FAILED);
    // At addresses that only the child has pages at.
    mmap(memory_, kMemory + kFar, PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    child_ = fork();
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      for (size_t at = 0; at < kMemory; at += kPage)
        memory_[at] = static_cast<char>(at / kPage + 1);
      Live(memory_, busy);
    }
    usleep(50'000);
  }

  void Watch() {
    auto target = AttachProcess(child_);
    ASSERT_TRUE(target) << target.error().message;
    SaveOptions options;
    // One that fails must not end the pacing of the next one.
    options.max_bandwidth = GiB(4);
    options.at_instant = [this](pid_t) {
      Copy();
      return Result<void>();
    };
    auto session = WatchSession::Create(*std::move(target), options);
    ASSERT_TRUE(session) << session.error().message;
    session_ = *std::move(session);
  }

  // Page by page: some may be gone.
  void Copy() {
    copy_.clear();
    for (size_t at = 0; at < kMemory; at += kPage) {
      std::string page(kPage, '\0');
      const iovec local{.iov_base = page.data(), .iov_len = kPage};
      const iovec remote{.iov_base = memory_ + at, .iov_len = kPage};
      if (process_vm_readv(child_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(kPage)) {
        copy_[reinterpret_cast<uint64_t>(memory_) + at] = page;
      }
    }
  }

  std::string Path(int number) const { return directory_ / ("image-" + std::to_string(number)); }

  Result<SaveSummary> Save(int number, int parent, bool follows) {
    ImageOptions options{.compression = {.codec = Codec::kLz4, .level = 8}};
    if (parent >= 0) {
      STILLFRAME_ASSIGN(options.parent, ImageReader::Open(Path(parent)));
    }
    STILLFRAME_ASSIGN(auto sink, CreateImage({.path = Path(number)}, options));
    return session_->Save(std::move(sink), follows);
  }

  void ExpectHoldsCopy(int number) const {
    const auto image = ImageReader::Open(Path(number));
    ASSERT_TRUE(image) << image.error().message;
    ASSERT_FALSE(copy_.empty());
    size_t different = 0;
    for (const auto& [address, expected] : copy_) {
      std::string page(kPage, 'x');
      const auto read =
          (*image)->Read({address}, std::as_writable_bytes(std::span(page.data(), page.size())));
      ASSERT_TRUE(read) << read.error().message;
      if (page != expected && different++ == 0) {
        ADD_FAILURE() << "image " << number << ": the page at " << std::hex << address;
      }
    }
    EXPECT_EQ(different, 0u);
    const auto verified = (*image)->Verify();
    EXPECT_TRUE(verified) << verified.error().message;
  }

  test::TempDir directory_;
  char* memory_ = nullptr;
  pid_t child_ = -1;
  std::unique_ptr<WatchSession> session_;
  std::map<uint64_t, std::string> copy_;
};

TEST_F(WatchSessionTest, EachImageIsAsItWasAtItsInstant) {
  Start(true);
  Watch();
  for (int i = 0; i < 25; ++i) {
    const auto saved = Save(i, i - 1, i > 0);
    ASSERT_TRUE(saved) << saved.error().message;
    EXPECT_EQ(saved->pages.lost.count, 0u);
    ExpectHoldsCopy(i);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
    usleep(20'000);
  }
}

TEST_F(WatchSessionTest, WhatNobodyWroteIsNotReadAgain) {
  Start(false);
  Watch();
  ASSERT_TRUE(Save(0, -1, false));
  const auto saved = Save(1, 0, true);
  ASSERT_TRUE(saved);
  EXPECT_GE(saved->pages.in_parent.count, kMemory / kPage);
  // The stack, the C library's data: what the rounds themselves made it touch.
  EXPECT_LT(saved->rounds.copied.count, 64 * kPage);
  ExpectHoldsCopy(1);
}

TEST_F(WatchSessionTest, AfterAnImageThatCameToNothingAllIsCopiedAgain) {
  Start(true);
  Watch();
  ASSERT_TRUE(Save(0, -1, false));
  // No such output: its pages are nowhere.
  class Full final : public PageSink {
   public:
    Result<void> Write(TargetAddress, std::span<const std::byte>, PageSource) override {
      return ++writes_ < 20 ? Result<void>() : Fail(ErrorCode::kOutput, "no space");
    }
    Result<void> Zero(AddressRange) override { return {}; }
    Result<void> Lost(AddressRange, std::string_view) override { return {}; }
    Result<void> InParent(AddressRange) override { return {}; }
    Result<void> AllowRepeats() override { return {}; }
    Result<void> Finish(const ImageMetadata&) override { return Fail(ErrorCode::kOutput, "full"); }
    void Interrupt() override {}
    SinkCounters counters() const override { return {}; }

   private:
    int writes_ = 0;
  };
  const auto failed = session_->Save(std::make_unique<Full>(), true);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kOutput);
  // Even if the caller says that it follows: the last one that succeeded does not.
  const auto saved = Save(1, 0, true);
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_GE(saved->rounds.copied.count, kMemory / 2);
  ExpectHoldsCopy(1);
  const auto next = Save(2, 1, true);
  ASSERT_TRUE(next);
  ExpectHoldsCopy(2);
}

TEST_F(WatchSessionTest, TheTargetIsAsItWasAfterwards) {
  Start(true);
  Watch();
  ASSERT_TRUE(Save(0, -1, false));
  session_.reset();
  // Nobody's userfaultfd is on its memory: it can be saved by somebody else.
  const auto summary = SaveProcess(child_, {.path = Path(1)});
  ASSERT_TRUE(summary) << summary.error().message;
}

TEST_F(WatchSessionTest, ATargetThatEndedEndsIt) {
  Start(true);
  Watch();
  ASSERT_TRUE(Save(0, -1, false));
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
  child_ = -1;
  const auto saved = Save(1, 0, true);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::kTargetGone);
  EXPECT_FALSE(session_->CheckAlive());
}

}  // namespace
}  // namespace stillframe
