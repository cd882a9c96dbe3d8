// What the scanner tells of pages, by each of its two ways: this very process is looked at.
#include "sys/page_map_scanner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "fault/fault_channel.h"

namespace stillframe {

bool operator==(const FoundPages& a, const FoundPages& b) {
  return a.range == b.range && a.zero == b.zero && a.swapped == b.swapped &&
         a.of_file == b.of_file && a.huge == b.huge && a.written == b.written;
}
std::ostream& operator<<(std::ostream& out, const FoundPages& found) {
  return out << std::hex << found.range.begin.value << std::dec << " +" << found.range.pages().count
             << (found.zero ? " zero" : "") << (found.swapped ? " swapped" : "")
             << (found.of_file ? " of_file" : "") << (found.huge ? " huge" : "")
             << (found.written ? " written" : "");
}

namespace {

using Between = PageMapScanner::Between;

constexpr size_t kPage = kPageSize.count;
constexpr uint64_t kHuge = MiB(2).count;
constexpr PageQuery kEverything = {
    .zero = true, .swapped = true, .of_file = true, .huge = true, .written = true};
constexpr const char* kNoScan = "*** SKIPPED *** this kernel has no PAGEMAP_SCAN";
constexpr const char* kNoFrames = "*** SKIPPED *** without CAP_SYS_ADMIN no frames are told";

class PageMapScannerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(pagemap_);
    if (!PageMapScanner(pagemap_.get(), {}).uses_scan_ioctl()) GTEST_SKIP() << kNoScan;
    // All of it is free until it is mapped.
    arena_ = static_cast<char*>(
        mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    ASSERT_NE(arena_, MAP_FAILED);
    ASSERT_EQ(munmap(arena_, kArena), 0);
  }
  void TearDown() override {
    if (arena_ != nullptr) munmap(arena_, kArena);
  }

  char* At(uint64_t page) const { return arena_ + page * kPage; }
  AddressRange Range(uint64_t page, uint64_t pages) const {
    const TargetAddress begin{reinterpret_cast<uint64_t>(At(page))};
    return {begin, begin + ToBytes(Pages{pages})};
  }
  AddressRange Map(uint64_t page, uint64_t pages, int flags = MAP_PRIVATE | MAP_ANONYMOUS,
                   int fd = -1, int protection = PROT_READ | PROT_WRITE) const {
    EXPECT_EQ(mmap(At(page), pages * kPage, protection, flags | MAP_FIXED, fd, 0), At(page));
    madvise(At(page), pages * kPage, MADV_NOHUGEPAGE);
    return Range(page, pages);
  }
  // Pages that follow one another, but in two mappings.
  AddressRange MapApart(uint64_t page, uint64_t pages) const {
    const int executable = page / pages % 2 == 0 ? 0 : PROT_EXEC;
    return Map(page, pages, MAP_PRIVATE | MAP_ANONYMOUS, -1, PROT_READ | PROT_WRITE | executable);
  }
  void Write(uint64_t page, uint64_t pages = 1) const {
    for (uint64_t i = 0; i < pages; ++i) *At(page + i) = 'x';
  }
  void Read(uint64_t page) const {
    static_cast<void>(*static_cast<const volatile char*>(At(page)));
  }

  std::vector<FoundPages> RunsBy(bool ioctl, const PageQuery& query,
                                 std::span<const AddressRange> ranges, Between between) const {
    PageMapScanner scanner(pagemap_.get(), query);
    if (!ioctl) scanner.ForceWindows();
    std::vector<FoundPages> runs;
    const Result<void> scanned =
        scanner.Scan(ranges, between, [&runs](const FoundPages& found) { runs.push_back(found); });
    EXPECT_TRUE(scanned) << scanned.error().message;
    return runs;
  }
  // What both ways say, with and without a hint.
  std::vector<FoundPages> Runs(const PageQuery& query, std::span<const AddressRange> ranges) const {
    const std::vector<FoundPages> runs = RunsBy(true, query, ranges, Between::kAnything);
    EXPECT_EQ(runs, RunsBy(true, query, ranges, Between::kNothing));
    EXPECT_EQ(runs, RunsBy(false, query, ranges, Between::kAnything));
    EXPECT_EQ(runs, RunsBy(false, query, ranges, Between::kNothing));
    return runs;
  }
  std::vector<FoundPages> Runs(const PageQuery& query, AddressRange range) const {
    return Runs(query, {&range, 1});
  }
  bool FindsAny(const PageQuery& query, AddressRange range) const {
    PageMapScanner scanner(pagemap_.get(), query);
    const Result<bool> by_ioctl = scanner.FindsAny(range);
    scanner.ForceWindows();
    const Result<bool> by_windows = scanner.FindsAny(range);
    EXPECT_TRUE(by_ioctl && by_windows && *by_ioctl == *by_windows);
    return by_ioctl && *by_ioctl;
  }
  // Whether frames are told, without which windows can't know a page of zeros.
  bool TellsFrames() const {
    Map(0, 1);
    Write(0);
    PagemapEntry entry;
    ReadPagemap(pagemap_.get(), Range(0, 1).begin, {&entry, 1});
    munmap(At(0), kPage);
    return entry.frame() != 0;
  }
  // Memory that is registered here is armed by the channel; the kernel opens what is written.
  const FaultChannel* Channel() {
    if (!channel_) {
      userfaultfd_.reset(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
      auto channel = FaultChannel::ConnectAsync(userfaultfd_.get());
      if (channel) channel_.emplace(*std::move(channel));
    }
    return channel_ ? &*channel_ : nullptr;
  }

  static constexpr size_t kArena = GiB(20).count;
  const UniqueFd pagemap_{open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
  char* arena_ = nullptr;
  UniqueFd userfaultfd_;
  std::optional<FaultChannel> channel_;
};

TEST_F(PageMapScannerTest, TellsWhatEachPageIs) {
  if (!TellsFrames()) GTEST_SKIP() << kNoFrames;
  const UniqueFd file(memfd_create("scanned", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 8 * kPage), 0);
  Map(0, 8);
  Map(8, 4, MAP_PRIVATE, file.get());
  Map(12, 4, MAP_SHARED, file.get());
  Write(1);
  Read(2);
  Write(4);
  ASSERT_EQ(madvise(At(4), kPage, MADV_DONTNEED), 0);
  Read(9);
  Write(10);
  Write(13);
  const std::vector<FoundPages> expected = {
      {.range = Range(1, 1), .written = true},
      {.range = Range(2, 1), .zero = true, .written = true},
      {.range = Range(9, 1), .of_file = true, .written = true},
      {.range = Range(10, 1), .written = true},
      {.range = Range(13, 1), .of_file = true, .written = true}};
  EXPECT_EQ(Runs(kEverything, Range(0, 16)), expected);
}

TEST_F(PageMapScannerTest, WhatDiffersOnlyInWhatIsNotToldIsOneRun) {
  if (!TellsFrames()) GTEST_SKIP() << kNoFrames;
  const UniqueFd file(memfd_create("scanned", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 8 * kPage), 0);
  const AddressRange range = Map(0, 8, MAP_PRIVATE, file.get());
  for (uint64_t page = 0; page < 8; ++page) page % 2 == 0 ? Write(page) : Read(page);
  EXPECT_EQ(Runs({}, range), std::vector<FoundPages>{{.range = range}});
  EXPECT_EQ(Runs({.of_file = true}, range).size(), 8u);
  // The page of zeros is passed over where it is not asked for.
  Map(8, 3);
  Write(8);
  Read(9);
  Write(10);
  EXPECT_EQ(Runs({}, Range(8, 3)),
            (std::vector<FoundPages>{{.range = Range(8, 1)}, {.range = Range(10, 1)}}));
  EXPECT_EQ(
      Runs({.zero = true}, Range(8, 3)),
      (std::vector<FoundPages>{
          {.range = Range(8, 1)}, {.range = Range(9, 1), .zero = true}, {.range = Range(10, 1)}}));
}

TEST_F(PageMapScannerTest, WrittenPagesAreThoseThatLostTheirMark) {
  const FaultChannel* channel = Channel();
  if (channel == nullptr) GTEST_SKIP() << "*** SKIPPED *** no userfaultfd in this mode";
  const AddressRange range = Map(0, 2000);
  Write(0, 1500);
  ASSERT_EQ(channel->Register(range), RegisterOutcome::kDone);
  ASSERT_TRUE(channel->Arm(Range(0, 1500)));
  for (uint64_t page = 100; page < 1500; page += 2) Write(page);
  const std::vector<FoundPages> runs = Runs({.written = true}, range);
  EXPECT_EQ(runs.size(), 1401u);
  for (const FoundPages& run : runs) {
    const uint64_t page = (run.range.begin - range.begin).count / kPage;
    EXPECT_EQ(run.written, page >= 100 && page % 2 == 0) << page;
    EXPECT_EQ(run.range.pages().count, page == 0 ? 100 : 1) << page;
  }
  EXPECT_EQ(Runs({.armed_only = true}, range).size(), 701u);
  EXPECT_EQ(Runs({.armed_only = true}, Range(200, 1)).size(), 0u);
  EXPECT_TRUE(FindsAny({.armed_only = true}, range));
  EXPECT_FALSE(FindsAny({.armed_only = true}, Range(200, 1)));
}

TEST_F(PageMapScannerTest, MarksAtHolesAreFoundOrLeftOut) {
  const FaultChannel* channel = Channel();
  if (channel == nullptr) GTEST_SKIP() << "*** SKIPPED *** no userfaultfd in this mode";
  if (!TellsFrames()) GTEST_SKIP() << kNoFrames;
  const AddressRange range = Map(0, 100);
  Write(10, 20);
  ASSERT_EQ(channel->Register(range), RegisterOutcome::kDone);
  ASSERT_TRUE(channel->Arm(Range(0, 50)));
  EXPECT_EQ(Runs({.swapped = true}, range),
            (std::vector<FoundPages>{{.range = Range(0, 10), .swapped = true},
                                     {.range = Range(10, 20)},
                                     {.range = Range(30, 20), .swapped = true}}));
  EXPECT_EQ(Runs({.marks = false}, range), std::vector<FoundPages>{{.range = Range(10, 20)}});
  EXPECT_TRUE(FindsAny({}, Range(30, 20)));
  EXPECT_FALSE(FindsAny({.marks = false}, Range(30, 20)));
  EXPECT_TRUE(FindsAny({.marks = false}, Range(0, 20)));
}

TEST_F(PageMapScannerTest, HugePagesAreToldByTheIoctlOnly) {
  // The first place where one fits.
  const uint64_t begin = (reinterpret_cast<uint64_t>(arena_) + kHuge - 1) / kHuge * kHuge;
  const uint64_t first = (begin - reinterpret_cast<uint64_t>(arena_)) / kPage;
  Map(first, 1024);
  madvise(At(first), kHuge, MADV_HUGEPAGE);
  Write(first, 512);
  Write(first + 512, 10);
  const AddressRange range = Range(first, 1024);
  const auto by_ioctl = RunsBy(true, {.huge = true}, {&range, 1}, Between::kAnything);
  if (by_ioctl.empty() || !by_ioctl[0].huge) {
    GTEST_SKIP() << "*** SKIPPED *** the kernel gave no huge page";
  }
  EXPECT_EQ(by_ioctl, (std::vector<FoundPages>{{.range = Range(first, 512), .huge = true},
                                               {.range = Range(first + 512, 10)}}));
  const auto by_windows = RunsBy(false, {.huge = true}, {&range, 1}, Between::kAnything);
  EXPECT_EQ(by_windows, std::vector<FoundPages>{{.range = Range(first, 522)}});
  EXPECT_EQ(Runs({}, range), by_windows);
}

TEST_F(PageMapScannerTest, MoreRunsThanOneCallReturnsComeOnceEach) {
  constexpr uint64_t kPages = 6000;
  const AddressRange range = Map(0, kPages);
  for (uint64_t page = 1; page < kPages; page += 2) Write(page);
  std::vector<FoundPages> expected;
  for (uint64_t page = 1; page < kPages; page += 2) expected.push_back({.range = Range(page, 1)});
  EXPECT_EQ(Runs({}, range), expected);
  // The same in a list, whose last range ends within a run of the kernel's.
  const std::vector<AddressRange> list = {Range(0, 1000), Range(1000, 1), Range(1001, 4998)};
  expected.pop_back();
  EXPECT_EQ(Runs({}, list), expected);
}

TEST_F(PageMapScannerTest, AListTellsOfItsRangesOnlyAndNoRunCrossesABorder) {
  Map(0, 1000);
  Write(0, 1000);
  const std::vector<AddressRange> list = {Range(3, 4),   Range(7, 1),   Range(8, 92),
                                          Range(101, 9), Range(500, 0), Range(600, 400)};
  std::vector<FoundPages> expected;
  for (const AddressRange range : list) {
    if (!range.empty()) expected.push_back({.range = range});
  }
  EXPECT_EQ(Runs({}, list), expected);
  EXPECT_TRUE(Runs({}, std::span<const AddressRange>()).empty());
  EXPECT_TRUE(Runs({}, Range(5, 0)).empty());
}

TEST_F(PageMapScannerTest, LittleOfALargeReservedRangeIsFound) {
  const uint64_t pages = GiB(16).count / kPage;
  const AddressRange range = Map(0, pages, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  std::vector<FoundPages> expected;
  for (uint64_t page = 12345; page < pages; page += pages / 37) {
    Write(page, 3);
    expected.push_back({.range = Range(page, 3)});
  }
  EXPECT_EQ(RunsBy(true, {}, {&range, 1}, Between::kAnything), expected);
  EXPECT_EQ(RunsBy(false, {}, {&range, 1}, Between::kAnything), expected);
  EXPECT_TRUE(FindsAny({}, range));
  EXPECT_FALSE(FindsAny({}, Range(0, 12345)));
  EXPECT_TRUE(FindsAny({}, Range(0, 12346)));
}

// How many calls of read(2) and its like this process has made.
std::optional<uint64_t> ReadsSoFar() {
  std::ifstream io("/proc/self/io");
  std::string name;
  uint64_t value = 0;
  while (io >> name >> value) {
    if (name == "syscr:") return value;
  }
  return {};
}

TEST_F(PageMapScannerTest, ManySmallMappingsTakeFewReads) {
  if (!ReadsSoFar()) GTEST_SKIP() << "*** SKIPPED *** this kernel doesn't count reads";
  const auto count = [this](uint64_t gap, uint64_t mappings, Between between) {
    std::vector<AddressRange> list;
    for (uint64_t i = 0; i < mappings; ++i) {
      const uint64_t page = i * (10 + gap);
      list.push_back(gap == 0 ? MapApart(page, 10) : Map(page, 10));
      Write(page, 10);
    }
    PageMapScanner scanner(pagemap_.get(), {});
    scanner.ForceWindows();
    uint64_t found = 0;
    const uint64_t before = *ReadsSoFar();
    EXPECT_TRUE(scanner.Scan(
        list, between, [&found](const FoundPages& run) { found += run.range.pages().count; }));
    const uint64_t reads = *ReadsSoFar() - before;
    EXPECT_EQ(found, mappings * 10);
    munmap(arena_, mappings * (10 + gap) * kPage);
    // What it takes to ask is told along.
    const uint64_t asking = *ReadsSoFar();
    return reads - (*ReadsSoFar() - asking);
  };
  // 4096 entries each.
  EXPECT_EQ(count(0, 1024, Between::kAnything), 3u);
  EXPECT_EQ(count(16, 1024, Between::kAnything), 7u);
  EXPECT_EQ(count(128, 100, Between::kNothing), 4u);
  // What lies in between would cost more than a read each.
  EXPECT_EQ(count(17, 100, Between::kAnything), 100u);
  EXPECT_EQ(count(129, 100, Between::kNothing), 100u);
}

// Memory of all kinds, in a random order, looked at with random questions.
class PageMapScannerRandomTest : public PageMapScannerTest {
 protected:
  uint64_t Below(uint64_t end) {
    return std::uniform_int_distribution<uint64_t>(0, end - 1)(random_);
  }
  bool Coin() { return Below(2) == 0; }

  // Returns the mappings that are asked about.
  std::vector<AddressRange> MapAtRandom(uint64_t pages) {
    std::vector<AddressRange> list;
    for (uint64_t page = 0; page < pages;) {
      const uint64_t size = 1 + Below(60);
      const AddressRange range = MapOne(page, size);
      // What is not asked about lies between the others.
      if (Below(5) != 0) list.push_back(range);
      page += size;
      if (Coin()) page += Below(Coin() ? 30 : 300);
    }
    return list;
  }

  PageQuery QueryAtRandom() {
    return {.armed_only = Below(4) == 0,
            .marks = Coin(),
            .zero = Coin(),
            .swapped = Coin(),
            .of_file = Coin(),
            .written = Coin()};
  }

  // What a page is by its entry, if it is to be found.
  std::optional<FoundPages> Expected(const PageQuery& query, TargetAddress address) const {
    PagemapEntry entry;
    EXPECT_EQ(ReadPagemap(pagemap_.get(), address, {&entry, 1}), 1u);
    const bool zero = entry.present() && entry.frame() == zero_frame_;
    if (!entry.populated() || (query.armed_only && !entry.armed()) ||
        (!query.marks && entry.marker()) || (!query.zero && zero)) {
      return {};
    }
    return FoundPages{.range = {address, address + kPageSize},
                      .zero = zero,
                      .swapped = query.swapped && !entry.present(),
                      .of_file = query.of_file && (entry.bits >> 61 & 1) != 0,
                      .written = query.written && !entry.armed()};
  }
  static bool Alike(FoundPages a, const FoundPages& b) {
    a.range = b.range;
    return a == b;
  }
  std::vector<FoundPages> Expected(const PageQuery& query,
                                   std::span<const AddressRange> list) const {
    std::vector<FoundPages> runs;
    for (const AddressRange range : list) {
      const size_t first = runs.size();
      for (TargetAddress at = range.begin; at < range.end; at = at + kPageSize) {
        std::optional<FoundPages> page = Expected(query, at);
        if (!page) continue;
        if (runs.size() > first && runs.back().range.end == at && Alike(runs.back(), *page)) {
          runs.back().range.end = page->range.end;
        } else {
          runs.push_back(*page);
        }
      }
    }
    return runs;
  }

  void FindZeroFrame() {
    Map(0, 1);
    Read(0);
    PagemapEntry entry;
    ReadPagemap(pagemap_.get(), Range(0, 1).begin, {&entry, 1});
    zero_frame_ = entry.frame();
    munmap(At(0), kPage);
  }

  std::mt19937_64 random_;

 private:
  AddressRange MapOne(uint64_t page, uint64_t size) {
    const UniqueFd file(memfd_create("scanned", MFD_CLOEXEC));
    EXPECT_EQ(ftruncate(file.get(), static_cast<off_t>(size * kPage)), 0);
    const bool of_file = Below(3) == 0;
    const int kind = Below(3) == 0 ? MAP_SHARED : MAP_PRIVATE;
    const AddressRange range =
        Map(page, size, of_file ? kind : kind | MAP_ANONYMOUS, of_file ? file.get() : -1);
    Touch(page, size);
    // Private memory of a file can be watched in this mode too.
    if (Coin() && Channel()->Register(range) == RegisterOutcome::kDone) {
      const uint64_t first = Below(size);
      EXPECT_TRUE(Channel()->Arm(Range(page + first, 1 + Below(size - first))));
      Touch(page, size);
    }
    if (Below(4) == 0) mprotect(At(page), size * kPage, Coin() ? PROT_READ : PROT_NONE);
    return range;
  }
  void Touch(uint64_t page, uint64_t size) {
    for (uint64_t i = 0; i < size; ++i) {
      switch (Below(6)) {
        case 0:
        case 1:
          Write(page + i);
          break;
        case 2:
          Read(page + i);
          break;
        case 3:
          madvise(At(page + i), kPage, MADV_DONTNEED);
          break;
        default:
          break;
      }
    }
  }

  uint64_t zero_frame_ = 0;
};

TEST_F(PageMapScannerRandomTest, BothWaysTellWhatTheEntriesSay) {
  if (!TellsFrames()) GTEST_SKIP() << kNoFrames;
  if (Channel() == nullptr) GTEST_SKIP() << "*** SKIPPED *** no userfaultfd in this mode";
  FindZeroFrame();
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    random_.seed(seed);
    const std::vector<AddressRange> list = MapAtRandom(20'000);
    for (int i = 0; i < 8; ++i) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", question " << i);
      const PageQuery query = QueryAtRandom();
      const std::vector<FoundPages> runs = Runs(query, list);
      EXPECT_GT(runs.size(), 100u);
      EXPECT_EQ(runs, Expected(query, list));
      if (HasFailure()) return;
    }
    munmap(arena_, 30'000 * kPage);
  }
}

}  // namespace
}  // namespace stillframe
