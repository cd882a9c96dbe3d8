// What is copied inside the pause, within which bounds, and what is left alone: this process plays
// the target, through the kernel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "save/paused_copy.h"
#include "sys/page_map_scanner.h"

namespace stillframe {
namespace {

constexpr Bytes kPlenty{UINT64_MAX};

class SavePausedCopiesTest : public testing::Test {
 protected:
  void SetUp() override {
    pagemap_.reset(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(pagemap_);
    memory_ = {.pid = getpid(),
               .pagemap = pagemap_.get(),
               .read =
                   [this](TargetAddress from, std::span<const iovec> to) {
                     ++reads_;
                     const iovec remote{reinterpret_cast<void*>(from.value), to[0].iov_len};
                     const ssize_t n = process_vm_readv(getpid(), to.data(), 1, &remote, 1, 0);
                     return ReadOutcome{.copied = {n < 0 ? 0 : static_cast<uint64_t>(n)},
                                        .error = n < 0 ? errno : 0};
                   },
               .check_alive = [this]() -> Result<void> {
                 if (gone_) return Fail(ErrorCode::kTargetGone, "gone");
                 return {};
               }};
  }

  static PlannedMapping Map(size_t pages, int flags, int fd = -1) {
    void* at = mmap(nullptr, pages * kPageSize.count, PROT_READ | PROT_WRITE, flags, fd, 0);
    EXPECT_NE(at, MAP_FAILED);
    EXPECT_EQ(madvise(at, pages * kPageSize.count, MADV_NOHUGEPAGE), 0);
    PlannedMapping planned;
    planned.mapping.range.begin = {reinterpret_cast<uint64_t>(at)};
    planned.mapping.range.end = planned.mapping.range.begin + ToBytes(Pages{pages});
    planned.mapping.shared = (flags & MAP_SHARED) != 0;
    planned.mapping.inode = fd >= 0 ? 1 : 0;
    planned.treatment = Treatment::kCopy;
    planned.saved = planned.mapping.range;
    return planned;
  }
  static void Fill(const PlannedMapping& planned, size_t page, size_t count) {
    for (size_t i = page; i < page + count; ++i) {
      std::memset(reinterpret_cast<char*>(planned.saved.begin.value) + i * kPageSize.count,
                  static_cast<int>('a' + i % 26), kPageSize.count);
    }
  }
  uint64_t PresentIn(AddressRange range) const {
    uint64_t pages = 0;
    EXPECT_TRUE(PageMapScanner(pagemap_.get(), {}).Scan(range, [&](const FoundPages& found) {
      pages += found.range.pages().count;
    }));
    return pages;
  }
  // Takes all pieces, and expects each page to hold its own letter.
  static uint64_t TakeOut(const PlannedMapping& planned, PausedCopies* copies) {
    uint64_t pages = 0;
    for (;;) {
      const PausedCopies::Piece piece = copies->Next(KiB(12));
      if (piece.memory.empty()) return pages;
      const uint64_t first = ToPages(piece.address - planned.saved.begin).count;
      for (size_t i = 0; i * kPageSize.count < piece.memory.size(); ++i, ++pages) {
        EXPECT_EQ(static_cast<char>(piece.memory[i * kPageSize.count]),
                  static_cast<char>('a' + (first + i) % 26));
      }
    }
  }
  static uint64_t PagesOf(std::span<const AddressRange> ranges) {
    uint64_t pages = 0;
    for (const AddressRange range : ranges) pages += range.pages().count;
    return pages;
  }

  UniqueFd pagemap_;
  StillMemory memory_;
  int reads_ = 0;
  bool gone_ = false;
};

TEST_F(SavePausedCopiesTest, HolesOfPrivateMemoryAreZeroAndStayHoles) {
  const PlannedMapping planned = Map(1000, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(planned, 10, 5);
  Fill(planned, 900, 100);
  PausedCopies copies;
  ASSERT_TRUE(copies.Reserve(memory_, {&planned, 1}, kPlenty));
  EXPECT_EQ(copies.reserved(), ToBytes(Pages{105}));
  ASSERT_TRUE(copies.Take(memory_, {&planned, 1}, nullptr));
  EXPECT_EQ(copies.pages(), Pages{105});
  EXPECT_EQ(reads_, 2);
  EXPECT_EQ(PagesOf(copies.zeros()), 895u);
  EXPECT_EQ(TakeOut(planned, &copies), 105u);
  EXPECT_EQ(PresentIn(planned.saved), 105u);
}

TEST_F(SavePausedCopiesTest, HolesOfSharedMemoryStayHoles) {
  const UniqueFd file(memfd_create("copies", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 100 * 4096), 0);
  const PlannedMapping planned = Map(100, MAP_SHARED, file.get());
  Fill(planned, 40, 20);
  PausedCopies copies;
  ASSERT_TRUE(copies.Take(memory_, {&planned, 1}, nullptr));
  EXPECT_EQ(TakeOut(planned, &copies), 20u);
  EXPECT_EQ(PagesOf(copies.zeros()), 80u);
  struct stat status = {};
  ASSERT_EQ(fstat(file.get(), &status), 0);
  EXPECT_EQ(status.st_blocks * 512, 20 * 4096);
}

TEST_F(SavePausedCopiesTest, APrivateFileMappingIsReadWholeAndItsMissingEndNoted) {
  const UniqueFd file(memfd_create("copies", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 100 * 4096), 0);
  const PlannedMapping shared = Map(100, MAP_SHARED, file.get());
  Fill(shared, 0, 100);
  ASSERT_EQ(ftruncate(file.get(), 90 * 4096), 0);
  const PlannedMapping planned = Map(100, MAP_PRIVATE, file.get());
  PausedCopies copies;
  ASSERT_TRUE(copies.Take(memory_, {&planned, 1}, nullptr));
  EXPECT_EQ(copies.pages(), Pages{100});
  ASSERT_EQ(copies.unreadable().size(), 1u);
  EXPECT_EQ(copies.unreadable()[0],
            (AddressRange{planned.saved.begin + ToBytes(Pages{90}), planned.saved.end}));
  const PausedCopies::Piece piece = copies.Next(MiB(1));
  ASSERT_EQ(piece.memory.size(), 100 * 4096u);
  EXPECT_EQ(static_cast<char>(piece.memory[89 * 4096]), static_cast<char>('a' + 89 % 26));
  EXPECT_EQ(static_cast<char>(piece.memory[90 * 4096]), 0);
}

TEST_F(SavePausedCopiesTest, OfAFileIsReadAheadWhatTheTargetNeverTouchedAndNothingElse) {
  const UniqueFd file(memfd_create("copies", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 1000 * 4096), 0);
  const PlannedMapping of_file = Map(1000, MAP_PRIVATE, file.get());
  const PlannedMapping shared = Map(1000, MAP_SHARED, file.get());
  const PlannedMapping memory = Map(10, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(memory, 0, 10);
  ASSERT_EQ(PresentIn(of_file.saved), 0u);
  PausedCopies copies;
  const auto go_on = [] { return Result<void>(); };
  ASSERT_TRUE(copies.ReadAhead(memory_, std::vector{of_file, shared, memory}, MiB(2), go_on));
  EXPECT_EQ(PresentIn(of_file.saved), ToPages(MiB(2)).count);
  EXPECT_EQ(PresentIn(shared.saved), 0u);
  EXPECT_EQ(reads_, 2);
  EXPECT_TRUE(copies.Next(MiB(1)).memory.empty());
}

TEST_F(SavePausedCopiesTest, OfHugePagesNothingIsReadAhead) {
  const UniqueFd file(memfd_create("copies", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 1000 * 4096), 0);
  PlannedMapping planned = Map(1000, MAP_PRIVATE, file.get());
  planned.mapping.hugetlb = true;
  PausedCopies copies;
  ASSERT_TRUE(copies.ReadAhead(memory_, {&planned, 1}, kPlenty, [] { return Result<void>(); }));
  EXPECT_EQ(reads_, 0);
  EXPECT_EQ(PresentIn(planned.saved), 0u);
}

TEST_F(SavePausedCopiesTest, ReadingAheadEndsWithTheErrorOfWhoeverIsAsked) {
  const UniqueFd file(memfd_create("copies", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 1000 * 4096), 0);
  const PlannedMapping planned = Map(1000, MAP_PRIVATE, file.get());
  PausedCopies copies;
  const Result<void> read = copies.ReadAhead(memory_, {&planned, 1}, kPlenty, [this]() {
    return reads_ == 2 ? Result<void>(Fail(ErrorCode::kInterrupted, "cancelled")) : Result<void>();
  });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(reads_, 2);
}

TEST_F(SavePausedCopiesTest, WhatIsMoreThanTheSystemHasIsRefusedBeforeThePause) {
  const PlannedMapping planned = Map(64, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(planned, 0, 64);
  PausedCopies copies;
  ASSERT_TRUE(copies.Reserve(memory_, {&planned, 1}, KiB(256)));
  PausedCopies more;
  const Result<void> refused = more.Reserve(memory_, {&planned, 1}, KiB(256) - Bytes{1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  EXPECT_NE(refused.error().hint.find("--via stop"), std::string::npos);
  EXPECT_EQ(reads_, 0);
}

TEST_F(SavePausedCopiesTest, NoCopyEndsInTheMiddleOfAPageWhateverWasReserved) {
  const PlannedMapping planned = Map(4, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(planned, 0, 4);
  PausedCopies copies;
  ASSERT_TRUE(copies.Reserve(memory_, {}, MiB(1) + Bytes{100}, kPageSize + Bytes{100}));
  ASSERT_TRUE(copies.TakePages(memory_, planned.saved, nullptr));
  for (uint64_t pages = 0;;) {
    const PausedCopies::Piece piece = copies.Next(KiB(12));
    if (piece.memory.empty()) {
      EXPECT_EQ(pages, 4u);
      break;
    }
    EXPECT_EQ(piece.memory.size() % kPageSize.count, 0u);
    pages += piece.memory.size() / kPageSize.count;
  }
}

TEST_F(SavePausedCopiesTest, MappingsThatAppearInThePauseAreBoundedToo) {
  const PlannedMapping early = Map(64, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(early, 0, 64);
  PausedCopies copies;
  ASSERT_TRUE(copies.Reserve(memory_, {&early, 1}, KiB(300)));
  const PlannedMapping late = Map(64, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(late, 0, 64);
  ASSERT_TRUE(copies.Take(memory_, {&early, 1}, nullptr));
  const Result<void> refused = copies.Take(memory_, {&late, 1}, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
}

TEST_F(SavePausedCopiesTest, MemoryThatGrewSinceItWasPlannedIsCopiedWhole) {
  const PlannedMapping planned = Map(3000, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(planned, 100, 100);
  PausedCopies copies;
  ASSERT_TRUE(copies.Reserve(memory_, {&planned, 1}, kPlenty));
  Fill(planned, 0, 3000);
  ASSERT_TRUE(copies.Take(memory_, {&planned, 1}, nullptr));
  EXPECT_EQ(TakeOut(planned, &copies), 3000u);
}

TEST_F(SavePausedCopiesTest, ACancelIsSeenBetweenPiecesOfOneMebibyte) {
  const PlannedMapping planned = Map(1024, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(planned, 0, 1024);
  PausedCopies copies;
  const Result<void> cancelled =
      copies.Take(memory_, {&planned, 1}, [this] { return reads_ == 2; });
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(reads_, 2);
}

TEST_F(SavePausedCopiesTest, CopiesOfATargetThatWentAwayAreNotBelieved) {
  const PlannedMapping planned = Map(4, MAP_PRIVATE | MAP_ANONYMOUS);
  Fill(planned, 0, 4);
  gone_ = true;
  PausedCopies copies;
  const Result<void> taken = copies.Take(memory_, {&planned, 1}, nullptr);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kTargetGone);
}

TEST(MemoryBudgetTest, ReadsWhatTheSystemHasAvailable) {
  EXPECT_EQ(ParseMemAvailable("MemTotal: 8 kB\nMemAvailable:     123 kB\nBuffers: 9 kB\n"),
            KiB(123));
  EXPECT_EQ(ParseMemAvailable("MemTotal: 8 kB\n"), kPlenty);
  EXPECT_EQ(ParseMemAvailable("MemAvailable: many kB\n"), kPlenty);
  EXPECT_EQ(ParseMemAvailable("MemAvailable: 99999999999999999999 kB\n"), kPlenty);
  EXPECT_EQ(ParseMemAvailable("MemAvailable:"), kPlenty);
  EXPECT_LT(AvailableMemory(), GiB(1024 * 1024));
}

TEST(MemoryBudgetTest, AMappingThatCanNotBeHadIsAnErrorAndNoException) {
  const auto mapped = MapMemory(Bytes{uint64_t{1} << 60});
  ASSERT_FALSE(mapped);
  EXPECT_EQ(mapped.error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace stillframe
