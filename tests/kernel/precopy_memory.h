// Rounds of copying, step by step, over memory of this very process.
#ifndef STILLFRAME_TESTS_KERNEL_PRECOPY_MEMORY_H_
#define STILLFRAME_TESTS_KERNEL_PRECOPY_MEMORY_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "fault/fault_channel.h"
#include "save/copied_pages.h"
#include "save/output_pacer.h"
#include "save/plain_saver.h"
#include "save/precopy_proof.h"
#include "save/precopy_rounds.h"
#include "sys/page_watch.h"
#include "sys/process_memory.h"

namespace stillframe {

inline constexpr size_t kPage = kPageSize.count;

// Keeps what it was told of each page last.
class LastSink final : public PageSink {
 public:
  Result<void> Write(TargetAddress address, std::span<const std::byte> pages, PageSource) override {
    for (size_t at = 0; at < pages.size(); at += kPage) {
      const auto page = pages.subspan(at, kPage);
      pages_[address + Bytes{at}] = {page.begin(), page.end()};
      ++writes;
    }
    return {};
  }
  Result<void> Zero(AddressRange) override { return {}; }
  Result<void> Lost(AddressRange, std::string_view) override { return {}; }
  Result<void> Finish(const ImageMetadata&) override { return {}; }
  void Interrupt() override {}
  SinkCounters counters() const override { return {}; }

  bool Holds(TargetAddress address, const char* memory) const {
    const auto found = pages_.find(address);
    return found != pages_.end() && std::memcmp(found->second.data(), memory, kPage) == 0;
  }

  uint64_t writes = 0;

 private:
  std::map<TargetAddress, std::vector<std::byte>> pages_;
};

class PrecopyProofTest : public testing::Test {
 protected:
  void SetUp() override {
    userfaultfd_.reset(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
    if (!userfaultfd_) GTEST_SKIP() << "*** SKIPPED *** no userfaultfd";
    auto channel = FaultChannel::ConnectAsync(userfaultfd_.get());
    if (!channel) GTEST_SKIP() << "*** SKIPPED *** " << channel.error().message;
    channel_.emplace(*std::move(channel));
  }
  void TearDown() override {
    for (const PlannedMapping& planned : plan_) {
      munmap(At(planned.mapping.range.begin), planned.mapping.range.size().count);
    }
  }

  static char* At(TargetAddress address) { return reinterpret_cast<char*>(address.value); }
  static TargetAddress Of(const char* memory) { return {reinterpret_cast<uint64_t>(memory)}; }

  // Maps, registers and plans `pages`, of which the first `filled` are there.
  char* Map(size_t pages, size_t filled, int flags = 0, int fd = -1) {
    const int kind = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
    auto* memory = static_cast<char*>(
        mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE, kind | flags, fd, 0));
    EXPECT_NE(memory, MAP_FAILED);
    // A page each, unless a test wants it otherwise.
    madvise(memory, pages * kPage, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < filled; ++i) Fill(memory, i);
    PlannedMapping planned;
    planned.mapping.range = {Of(memory), Of(memory) + Bytes{pages * kPage}};
    if (fd >= 0) planned.mapping.inode = 1;
    planned.treatment = Treatment::kArm;
    planned.saved = planned.mapping.range;
    EXPECT_EQ(channel_->Register(planned.saved), RegisterOutcome::kDone);
    fresh_.push_back(planned.saved);
    plan_.push_back(planned);
    return memory;
  }
  void Fill(char* memory, size_t page) {
    std::memset(memory + page * kPage, static_cast<int>(1 + ++filled_ % 255), kPage);
  }

  void Round() {
    const Result<void> copied = rounds_.Copy(plan_, fresh_);
    ASSERT_TRUE(copied) << copied.error().message;
    fresh_.clear();
  }

  // The pages of the last mapping, a letter each: '=' the copy holds, 'c' to be copied, '0' a hole.
  // Each one that holds is compared with the memory, here and in all other mappings.
  std::string Verdicts() {
    std::string verdicts;
    for (const PlannedMapping& planned : plan_) {
      verdicts.assign(planned.saved.pages().count, '=');
      const auto mark = [&](char letter) {
        return [&verdicts, &planned, letter](AddressRange range) {
          for (uint64_t i = 0; i < range.pages().count; ++i) {
            char& verdict = verdicts[ToPages(range.begin - planned.saved.begin).count + i];
            EXPECT_EQ(verdict, '=') << "told of twice";
            verdict = letter;
          }
        };
      };
      const Result<void> found =
          proof_.FindDoubts(planned, MiB(1), {.copy = mark('c'), .zero = mark('0')});
      EXPECT_TRUE(found) << found.error().message;
      Compare(planned.saved.begin, verdicts);
    }
    return verdicts;
  }
  void Compare(TargetAddress begin, const std::string& verdicts) {
    static const std::vector<char> zeros(kPage);
    for (size_t i = 0; i < verdicts.size(); ++i) {
      const TargetAddress address = begin + Bytes{i * kPage};
      if (verdicts[i] == '=') {
        EXPECT_TRUE(sink_.Holds(address, At(address)))
            << "page " << i << " is not as it was copied";
      } else if (verdicts[i] == '0') {
        EXPECT_EQ(std::memcmp(At(address), zeros.data(), kPage), 0) << "page " << i;
      }
    }
  }

  UniqueFd userfaultfd_;
  std::optional<FaultChannel> channel_;
  const UniqueFd pagemap_{open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
  const StillMemory memory_{
      .pid = getpid(),
      .pagemap = pagemap_.get(),
      .read = [](TargetAddress from,
                 std::span<const iovec> to) { return ReadProcessMemory(getpid(), -1, from, to); },
      .check_alive = [] { return Result<void>(); }};
  LastSink sink_;
  const OutputPacer pacer_{Bytes{0}, MonotonicClock()};
  const PageWatch watch_{pagemap_.get()};
  CopiedPages copied_;
  const PrecopyProof proof_{watch_, copied_};
  PlainSaver saver_{sink_, pacer_, PageSource::kScanned};
  PrecopyRounds rounds_{{.memory = memory_,
                         .watch = watch_,
                         .saver = saver_,
                         .copied = copied_,
                         .clock = MonotonicClock(),
                         .check = [] { return Result<void>(); },
                         .await_calls = [this]() -> Result<void> {
                           if (between_) between_();
                           return {};
                         }}};
  std::function<void()> between_;  // called between arming and copying
  std::vector<PlannedMapping> plan_;
  std::vector<AddressRange> fresh_;
  unsigned filled_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_KERNEL_PRECOPY_MEMORY_H_
