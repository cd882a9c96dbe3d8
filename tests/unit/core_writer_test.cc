// A core in a file: each page in its place whatever the order, what was told last, and nothing of
// it before it is complete.
#include "peer/core/core_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "core_samples.h"
#include "image/image_copy.h"
#include "stillframe/core.h"
#include "stillframe/image_reader.h"
#include "support/files.h"
#include "support/small_disk.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
using Names = std::vector<std::string>;

AddressRange Range(uint64_t begin, uint64_t end) { return {{begin}, {end}}; }

class CoreWriterTest : public testing::Test {
 protected:
  CoreWriterTest() { Open({}); }

  void Open(const PlacedStore::Options& options) {
    sink_.reset();
    auto store = PlacedStore::Open(path_, options);
    ASSERT_TRUE(store) << store.error().message;
    sink_ = std::make_unique<CoreWriter>(*std::move(store), memory_);
  }
  void Expect(Expectation expectation) {
    const auto result = sink_->Expect(metadata_, expectation);
    ASSERT_TRUE(result) << result.error().message;
  }
  void Write(uint64_t address, const ByteVector& pages, PageSource source = PageSource::kScanned) {
    const auto result = sink_->Write({address}, pages, source);
    ASSERT_TRUE(result) << result.error().message;
  }
  std::unique_ptr<test::CoreFile> Finish() {
    const auto result = sink_->Finish(metadata_);
    EXPECT_TRUE(result) << result.error().message;
    EXPECT_EQ(directory_.List(), Names{"core"});
    auto core = test::CoreFile::Open(path_);
    EXPECT_TRUE(core) << core.error().message;
    return core ? *std::move(core) : nullptr;
  }
  void ExpectFinishFails(const std::string& what) {
    const auto result = sink_->Finish(metadata_);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInternal);
    EXPECT_NE(result.error().message.find(what), std::string::npos) << result.error().message;
    sink_.reset();
    EXPECT_EQ(directory_.List(), Names{});
  }
  uint64_t DiskUse() const {
    struct stat status {};
    EXPECT_EQ(stat(path_.c_str(), &status), 0);
    return static_cast<uint64_t>(status.st_blocks) * 512;
  }

  test::TempDir directory_;
  std::string path_ = directory_ / "core";
  std::unique_ptr<PageSink> sink_;
  Bytes memory_{UINT64_MAX};
  ImageMetadata metadata_ = CoreMetadata({WholeMapping(0x10000, 4, ""), LeftOutMapping(0x14000, 2),
                                          WholeMapping(0x7f0000000000, 8, "")});
};

TEST_F(CoreWriterTest, PagesStandInTheirPlaceInWhateverOrderTheyCame) {
  Expect(Expectation::kSettled);
  Write(0x7f0000006000, PatternPages(1, 2), PageSource::kFaulted);
  Write(0x11000, PatternPages(2, 2));
  ASSERT_TRUE(sink_->Zero(Range(0x7f0000001000, 0x7f0000006000)));
  Write(0x13000, PatternPages(3, 1), PageSource::kPaused);
  Write(0x7f0000000000, PatternPages(4, 1));
  ASSERT_TRUE(sink_->Zero(Range(0x10000, 0x11000)));
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->WrongInHeaders(), "");
  ASSERT_EQ(core->segments().size(), 3u);
  EXPECT_EQ(core->segments()[0].range, Range(0x10000, 0x14000));
  EXPECT_EQ(core->segments()[0].file_size, 4 * kPage);
  EXPECT_EQ(core->segments()[1].range, Range(0x14000, 0x16000));
  EXPECT_EQ(core->segments()[1].file_size, 0u);
  EXPECT_EQ(core->segments()[2].range, Range(0x7f0000000000, 0x7f0000008000));
  EXPECT_EQ(PagesIn(*core, 0x10000, 1), ZeroPages(1));
  EXPECT_EQ(PagesIn(*core, 0x11000, 2), PatternPages(2, 2));
  EXPECT_EQ(PagesIn(*core, 0x13000, 1), PatternPages(3, 1));
  EXPECT_EQ(PagesIn(*core, 0x7f0000000000, 1), PatternPages(4, 1));
  EXPECT_EQ(PagesIn(*core, 0x7f0000001000, 5), ZeroPages(5));
  EXPECT_EQ(PagesIn(*core, 0x7f0000006000, 2), PatternPages(1, 2));
  ASSERT_EQ(core->threads().size(), 1u);
  EXPECT_EQ(core->threads()[0].tid(), 4242);
  const SinkCounters counters = sink_->counters();
  EXPECT_EQ(counters.zero.count, 6u);
  EXPECT_EQ(counters.scanned.count, 3u);
  EXPECT_EQ(counters.faulted.count, 2u);
  EXPECT_EQ(counters.paused.count, 1u);
  EXPECT_EQ(counters.lost.count, 0u);
}

TEST_F(CoreWriterTest, NothingIsThereBeforeItIsFinished) {
  Expect(Expectation::kSettled);
  Write(0x10000, PatternPages(1, 4));
  EXPECT_EQ(directory_.List(), Names{});
  sink_.reset();
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_F(CoreWriterTest, ZerosAreHoles) {
  metadata_ = CoreMetadata({WholeMapping(0x10000000, 1 << 20, "")});
  Expect(Expectation::kSettled);
  ByteVector pages = PatternPages(1, 256);
  std::fill(pages.begin() + 16 * kPage, pages.begin() + 240 * kPage, std::byte{0});
  Write(0x10000000, pages);
  ASSERT_TRUE(sink_->Zero(Range(0x10100000, 0x110000000)));
  const uint64_t before_headers = sink_->counters().written.count;
  EXPECT_EQ(before_headers, 32 * kPage);
  EXPECT_EQ(sink_->counters().zero.count, (1u << 20) - 32);
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_GT(core->size(), GiB(4).count);
  EXPECT_LE(DiskUse(), 32 * kPage + KiB(64).count);
  EXPECT_EQ(PagesIn(*core, 0x10000000, 256), pages);
  EXPECT_EQ(PagesIn(*core, 0x10ffff000, 1), ZeroPages(1));
}

TEST_F(CoreWriterTest, APageThatIsMissingIsNamed) {
  Expect(Expectation::kSettled);
  ASSERT_TRUE(sink_->Zero(Range(0x10000, 0x14000)));
  ASSERT_TRUE(sink_->Zero(Range(0x7f0000000000, 0x7f0000007000)));
  ExpectFinishFails("0x7f0000007000 is missing");
}

TEST_F(CoreWriterTest, APageToldOfTwiceIsNamed) {
  Expect(Expectation::kSettled);
  ASSERT_TRUE(sink_->Zero(Range(0x10000, 0x14000)));
  const auto result = sink_->Write({0x12000}, PatternPages(1, 1), PageSource::kScanned);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  EXPECT_NE(result.error().message.find("0x12000 is there twice"), std::string::npos);
  ExpectFinishFails("twice");
}

TEST_F(CoreWriterTest, APageOfNoMappingIsNamed) {
  Expect(Expectation::kSettled);
  EXPECT_EQ(sink_->Zero(Range(0x13000, 0x15000)).error().code, ErrorCode::kInternal);
  ExpectFinishFails("0x14000 belongs to no saved mapping");
}

TEST_F(CoreWriterTest, OtherMappingsThanExpectedAreRefused) {
  Expect(Expectation::kSettled);
  ASSERT_TRUE(sink_->Zero(Range(0x10000, 0x14000)));
  ASSERT_TRUE(sink_->Zero(Range(0x7f0000000000, 0x7f0000008000)));
  metadata_.mappings.pop_back();
  ExpectFinishFails("not as expected");
}

TEST_F(CoreWriterTest, NothingIsTakenThatIsNotWholePages) {
  Expect(Expectation::kSettled);
  const ByteVector bytes(2 * kPage);
  EXPECT_FALSE(sink_->Write({0x10001}, std::span(bytes).first(kPage), PageSource::kScanned));
  EXPECT_FALSE(sink_->Write({0x10000}, std::span(bytes).first(100), PageSource::kScanned));
  EXPECT_FALSE(sink_->Write({UINT64_MAX - kPage + 1}, bytes, PageSource::kScanned));
  EXPECT_FALSE(sink_->Zero(Range(0x10000, 0x10001)));
  EXPECT_FALSE(sink_->Lost(Range(0x10010, 0x11010), "ksm"));
}

TEST_F(CoreWriterTest, WithoutAnExpectationItIsLaidOutAtTheEnd) {
  Write(0x7f0000004000, PatternPages(1, 4));
  Write(0x10000, PatternPages(2, 1));
  Write(0x7f0000000000, PatternPages(3, 4));
  Write(0x11000, PatternPages(4, 3));
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->WrongInHeaders(), "");
  EXPECT_EQ(PagesIn(*core, 0x10000, 1), PatternPages(2, 1));
  EXPECT_EQ(PagesIn(*core, 0x11000, 3), PatternPages(4, 3));
  EXPECT_EQ(PagesIn(*core, 0x7f0000000000, 4), PatternPages(3, 4));
  EXPECT_EQ(PagesIn(*core, 0x7f0000004000, 4), PatternPages(1, 4));
}

TEST_F(CoreWriterTest, WithoutAnExpectationAPageOfNoMappingIsFoundAtTheEnd) {
  ASSERT_TRUE(sink_->Zero(Range(0x10000, 0x15000)));
  ASSERT_TRUE(sink_->Zero(Range(0x7f0000000000, 0x7f0000008000)));
  ExpectFinishFails("belongs to no saved mapping");
}

TEST_F(CoreWriterTest, LostPagesAreInNoSegmentAndNoted) {
  Expect(Expectation::kSettled);
  Write(0x10000, PatternPages(1, 4));
  Write(0x7f0000000000, PatternPages(2, 3));
  ASSERT_TRUE(sink_->Lost(Range(0x7f0000004000, 0x7f0000005000), "unmapped"));
  ASSERT_TRUE(sink_->Lost(Range(0x7f0000003000, 0x7f0000004000), "unmapped"));
  Write(0x7f0000005000, PatternPages(3, 3));
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  ASSERT_EQ(core->segments().size(), 5u);
  EXPECT_EQ(core->segments()[2].range, Range(0x7f0000000000, 0x7f0000003000));
  EXPECT_EQ(core->segments()[2].file_size, 3 * kPage);
  EXPECT_EQ(core->segments()[3].range, Range(0x7f0000003000, 0x7f0000003000));
  EXPECT_EQ(core->segments()[3].file_size, 0u);
  EXPECT_EQ(core->segments()[4].range, Range(0x7f0000005000, 0x7f0000008000));
  EXPECT_EQ(core->WrongInHeaders(), "");
  EXPECT_TRUE(PagesIn(*core, 0x7f0000003000, 1).empty());
  EXPECT_TRUE(PagesIn(*core, 0x7f0000004000, 1).empty());
  EXPECT_EQ(PagesIn(*core, 0x7f0000000000, 3), PatternPages(2, 3));
  EXPECT_EQ(PagesIn(*core, 0x7f0000005000, 3), PatternPages(3, 3));
  const std::vector<SaveNoteRange> noted = NotedRanges(*core);
  ASSERT_EQ(noted.size(), 1u);
  EXPECT_EQ(noted[0].begin, 0x7f0000003000u);
  EXPECT_EQ(noted[0].end, 0x7f0000005000u);
  EXPECT_EQ(sink_->counters().lost.count, 2u);
}

TEST_F(CoreWriterTest, TooManyCutsMoveTheProgramHeadersToTheEnd) {
  metadata_ = CoreMetadata({WholeMapping(0x10000000, 1000, "")});
  Expect(Expectation::kSettled);
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t page = 0x10000000 + i * kPage;
    if (i % 2 == 0) {
      Write(page, PatternPages(i, 1));
    } else {
      ASSERT_TRUE(sink_->Lost(Range(page, page + kPage), "ksm"));
    }
  }
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->segments().size(), 1000u);
  EXPECT_EQ(core->header_count(), 1001u);
  EXPECT_EQ(NotedRanges(*core).size(), 500u);
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t page = 0x10000000 + i * kPage;
    EXPECT_EQ(PagesIn(*core, page, 1), i % 2 == 0 ? PatternPages(i, 1) : ByteVector()) << i;
  }
}

TEST_F(CoreWriterTest, SeventyThousandMappingsAreCountedBySectionHeaderZero) {
  std::vector<SavedMapping> mappings;
  for (uint64_t i = 0; i < 70'000; ++i) {
    mappings.push_back(WholeMapping(0x10000000 + i * 2 * kPage, 1, ""));
  }
  metadata_ = CoreMetadata(std::move(mappings));
  Expect(Expectation::kSettled);
  for (const SavedMapping& mapping : metadata_.mappings) {
    ASSERT_TRUE(sink_->Zero(mapping.saved));
  }
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->header_count(), 0xffffu);
  EXPECT_EQ(core->program_headers(), 70'001u);
  EXPECT_EQ(core->WrongInHeaders(), "");
}

// Pages that are told of again.
class CoreRepeatsTest : public CoreWriterTest {
 protected:
  CoreRepeatsTest() { EXPECT_TRUE(sink_->AllowRepeats()); }

  void Reopen(const PlacedStore::Options& options) {
    Open(options);
    ASSERT_TRUE(sink_->AllowRepeats());
  }
};

TEST_F(CoreRepeatsTest, WhatWasToldLastHolds) {
  for (const bool holes : {true, false}) {
    Reopen({.force = true, .holes = holes});
    Expect(Expectation::kSoFar);
    Write(0x10000, PatternPages(1, 4));
    Write(0x7f0000000000, PatternPages(2, 8));
    Expect(Expectation::kSettled);
    ASSERT_TRUE(sink_->Zero(Range(0x11000, 0x12000)));
    ByteVector pages = PatternPages(3, 3);
    std::fill(pages.begin() + kPage, pages.begin() + 2 * kPage, std::byte{0});
    Write(0x7f0000001000, pages, PageSource::kFaulted);
    ASSERT_TRUE(sink_->Lost(Range(0x7f0000006000, 0x7f0000008000), "ksm"));
    Write(0x7f0000007000, PatternPages(4, 1));
    EXPECT_EQ(sink_->counters().scanned.count, 13u);
    const auto core = Finish();
    ASSERT_NE(core, nullptr);
    EXPECT_EQ(PagesIn(*core, 0x11000, 1), ZeroPages(1));
    EXPECT_EQ(PagesIn(*core, 0x7f0000001000, 3), pages);
    EXPECT_TRUE(PagesIn(*core, 0x7f0000006000, 1).empty());
    EXPECT_EQ(PagesIn(*core, 0x7f0000007000, 1), PatternPages(4, 1));
    const SinkCounters counters = sink_->counters();
    EXPECT_EQ(counters.scanned.count, 3u + 4u);
    EXPECT_EQ(counters.faulted.count, 2u);
    EXPECT_EQ(counters.zero.count, 2u);
    EXPECT_EQ(counters.lost.count, 1u);
  }
}

TEST_F(CoreRepeatsTest, WrittenIsWhatWentOutAndInTheEndWhatStandsInTheFile) {
  for (const bool able : {true, false}) {
    Reopen({.force = true, .holes = able, .copies = able});
    metadata_ = CoreMetadata({WholeMapping(0x10000000, 64, ""), WholeMapping(0x20000000, 1, "")});
    Expect(Expectation::kSoFar);
    for (int round = 0; round < 5; ++round) Write(0x10000000, PatternPages(1, 64));
    metadata_ = CoreMetadata({WholeMapping(0x10000000, 1024, ""), WholeMapping(0x20000000, 1, "")});
    Expect(Expectation::kSettled);
    ASSERT_TRUE(sink_->Zero(Range(0x10010000, 0x10400000)));
    Write(0x20000000, PatternPages(2, 1));
    EXPECT_GE(sink_->counters().written.count, (5 * 64 + 1) * kPage);
    const auto core = Finish();
    ASSERT_NE(core, nullptr);
    // The first 16 pages were moved, the others are zeros now; headers and notes are the rest.
    const uint64_t written = sink_->counters().written.count;
    EXPECT_GT(written, (16 + 1) * kPage);
    EXPECT_LT(written, (16 + 1 + 2) * kPage);
    if (able) {
      EXPECT_LE(written, DiskUse());
    }
  }
}

TEST_F(CoreRepeatsTest, PagesOfAMappingThatMovedInTheFileGoWithIt) {
  for (const bool able : {true, false}) {
    Reopen({.force = true, .holes = able, .copies = able});
    metadata_ = CoreMetadata({WholeMapping(0x10000000, 64, ""), WholeMapping(0x20000000, 1, "")});
    Expect(Expectation::kSoFar);
    Write(0x10000000, PatternPages(1, 60), PageSource::kPaused);
    ASSERT_TRUE(sink_->Zero(Range(0x1003c000, 0x10040000)));
    metadata_ = CoreMetadata({WholeMapping(0x10000000, 256, ""), WholeMapping(0x20000000, 1, "")});
    Expect(Expectation::kSoFar);
    Write(0x1000a000, PatternPages(2, 10));
    metadata_ = CoreMetadata({WholeMapping(0x10000000, 1024, ""), WholeMapping(0x20000000, 1, "")});
    Expect(Expectation::kSettled);
    Write(0x10005000, PatternPages(3, 10), PageSource::kFaulted);
    ASSERT_TRUE(sink_->Zero(Range(0x10020000, 0x10021000)));
    ASSERT_TRUE(sink_->Zero(Range(0x10040000, 0x10400000)));
    Write(0x20000000, PatternPages(4, 1));
    const auto core = Finish();
    ASSERT_NE(core, nullptr);
    EXPECT_EQ(core->WrongInHeaders(), "");
    EXPECT_EQ(core->segments().size(), 2u);
    const ByteVector first = PatternPages(1, 60);
    const auto part = [](const ByteVector& pages, size_t from, size_t count) {
      return ByteVector(pages.begin() + static_cast<ptrdiff_t>(from * kPage),
                        pages.begin() + static_cast<ptrdiff_t>((from + count) * kPage));
    };
    EXPECT_EQ(PagesIn(*core, 0x10000000, 5), part(first, 0, 5));
    EXPECT_EQ(PagesIn(*core, 0x10005000, 10), PatternPages(3, 10));
    EXPECT_EQ(PagesIn(*core, 0x1000f000, 5), part(PatternPages(2, 10), 5, 5));
    EXPECT_EQ(PagesIn(*core, 0x10014000, 12), part(first, 20, 12));
    EXPECT_EQ(PagesIn(*core, 0x10020000, 1), ZeroPages(1));
    EXPECT_EQ(PagesIn(*core, 0x10021000, 27), part(first, 33, 27));
    EXPECT_EQ(PagesIn(*core, 0x1003c000, 964), ZeroPages(964));
    EXPECT_EQ(sink_->counters().paused.count, 5u + 12u + 27u);
    if (able) {
      EXPECT_LE(DiskUse(), (60 + 1) * kPage + KiB(64).count);
    }
  }
}

TEST_F(CoreRepeatsTest, WhatWasToldOfOtherPagesIsDropped) {
  Write(0x30000000, PatternPages(1, 32));
  Expect(Expectation::kSoFar);
  Write(0x40000000, PatternPages(2, 32));
  Write(0x10000, PatternPages(3, 4));
  Expect(Expectation::kSettled);
  Write(0x13000, PatternPages(4, 6));
  ASSERT_TRUE(sink_->Zero(Range(0x7f0000000000, 0x7f0000009000)));
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->segments().size(), 3u);
  EXPECT_EQ(sink_->counters().scanned.count, 4u);
  EXPECT_EQ(sink_->counters().zero.count, 8u);
  ByteVector last = PatternPages(4, 6);
  last.resize(kPage);
  EXPECT_EQ(PagesIn(*core, 0x13000, 1), last);
  EXPECT_LE(DiskUse(), 4 * kPage + KiB(64).count);
}

TEST_F(CoreRepeatsTest, APageThatIsMissingIsNamedAllTheSame) {
  Expect(Expectation::kSoFar);
  Write(0x10000, PatternPages(1, 3));
  Write(0x10000, PatternPages(1, 3));
  Expect(Expectation::kSettled);
  ExpectFinishFails("0x13000 is missing");
}

TEST_F(CoreRepeatsTest, ItIsToldBeforeTheFirstPage) {
  Open({.force = true});
  Write(0x10000, PatternPages(1, 1));
  EXPECT_EQ(sink_->AllowRepeats().error().code, ErrorCode::kInternal);
}

TEST_F(CoreWriterTest, ThePacerIsAskedForAllThatGoesOut) {
  uint64_t asked = 0;
  sink_->SetPacer(
      [&asked](Bytes bytes) -> Result<void> {
        EXPECT_LE(bytes.count, 2 * kPage);
        asked += bytes.count;
        return {};
      },
      Bytes{2 * kPage});
  Expect(Expectation::kSettled);
  Write(0x10000, PatternPages(1, 4));
  ASSERT_TRUE(sink_->Zero(Range(0x7f0000000000, 0x7f0000003000)));
  Write(0x7f0000003000, PatternPages(2, 5));
  EXPECT_EQ(asked, 9 * kPage);
  ASSERT_NE(Finish(), nullptr);
  EXPECT_GT(asked, 9 * kPage);
  EXPECT_EQ(asked, sink_->counters().written.count);
}

TEST_F(CoreWriterTest, ThePacerIsAskedForZerosTooWhereThereAreNoHoles) {
  Open({.holes = false});
  uint64_t asked = 0;
  sink_->SetPacer(
      [&asked](Bytes bytes) -> Result<void> {
        EXPECT_LE(bytes.count, 2 * kPage);
        asked += bytes.count;
        return {};
      },
      Bytes{2 * kPage});
  ASSERT_TRUE(sink_->AllowRepeats());
  Expect(Expectation::kSoFar);
  Write(0x10000, PatternPages(1, 4));
  ASSERT_TRUE(sink_->Zero(Range(0x10000, 0x14000)));
  EXPECT_EQ(asked, 8 * kPage);
  EXPECT_EQ(asked, sink_->counters().written.count);
}

TEST_F(CoreWriterTest, AnErrorOfThePacerEndsIt) {
  sink_->SetPacer([](Bytes) { return Fail(ErrorCode::kInterrupted, "enough"); }, MiB(1));
  Expect(Expectation::kSettled);
  EXPECT_EQ(sink_->Write({0x10000}, PatternPages(1, 1), PageSource::kScanned).error().code,
            ErrorCode::kInterrupted);
  EXPECT_EQ(sink_->Finish(metadata_).error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_F(CoreWriterTest, InterruptedItEnds) {
  Expect(Expectation::kSettled);
  sink_->Interrupt();
  EXPECT_EQ(sink_->Write({0x10000}, PatternPages(1, 1), PageSource::kScanned).error().code,
            ErrorCode::kInterrupted);
  EXPECT_EQ(sink_->Finish(metadata_).error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_F(CoreWriterTest, MoreAccountOfPagesThanMemoryMayHoldGivesUpTheCore) {
  memory_ = MiB(1);
  Open({.force = true});
  constexpr uint64_t kStretch = MiB(128).count;
  metadata_ = CoreMetadata({WholeMapping(0x10000000, 4096 * kStretch / kPage, "")});
  Expect(Expectation::kSettled);
  // One page in each stretch, as in a process that reserved a lot; or as in an image that is to
  // cost us all memory.
  Result<void> told;
  uint64_t pages = 0;
  for (; told && pages < 4096; ++pages) {
    told = sink_->Write({0x10000000 + pages * kStretch}, PatternPages(1, 1), PageSource::kScanned);
  }
  EXPECT_GT(pages, 512u);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, ErrorCode::kLimit);
  EXPECT_NE(told.error().message.find("1 MiB"), std::string::npos) << told.error().message;
  EXPECT_NE(told.error().hint.find("--filter"), std::string::npos) << told.error().hint;
  EXPECT_EQ(sink_->Finish(metadata_).error().code, ErrorCode::kLimit);
  sink_.reset();
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_F(CoreWriterTest, AFileThatWouldBeTooLargeIsToldAtOnce) {
  metadata_ = CoreMetadata({WholeMapping(0x10000000, 1 << 20, "")});
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{.rlim_cur = MiB(1).count, .rlim_max = old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto result = sink_->Expect(metadata_, Expectation::kSettled);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutput);
  EXPECT_NE(result.error().hint.find("--filter"), std::string::npos) << result.error().hint;
}

TEST_F(CoreWriterTest, ADiskThatIsFullLeavesNothing) {
  const test::SmallDisk disk(directory_ / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  path_ = directory_ / "disk/core";
  Open({});
  metadata_ = CoreMetadata({WholeMapping(0x10000000, 512, "")});
  Expect(Expectation::kSettled);
  const auto result = sink_->Write({0x10000000}, PatternPages(1, 512), PageSource::kScanned);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutput);
  EXPECT_NE(result.error().message.find("No space left"), std::string::npos);
  EXPECT_EQ(sink_->Finish(metadata_).error().code, ErrorCode::kOutput);
  sink_.reset();
  EXPECT_EQ(test::ReadFile(path_), "");
  EXPECT_FALSE(test::Exists(path_));
}

TEST_F(CoreWriterTest, CreatedAndRefusedAsAnImage) {
  test::WriteFile(path_, "old");
  EXPECT_EQ(CreateCore({.path = path_}).error().code, ErrorCode::kUsage);
  EXPECT_EQ(CreateCore({.path = directory_.path()}).error().code, ErrorCode::kUsage);
  auto sink = CreateCore({.path = path_, .force = true});
  ASSERT_TRUE(sink) << sink.error().message;
  EXPECT_FALSE((*sink)->needs_order());
  EXPECT_EQ(test::ReadFile(path_), "old");
}

// An image is as good a source as a process.
TEST_F(CoreWriterTest, TheCoreOfAnImageHoldsWhatTheImageHolds) {
  metadata_.mappings.push_back(WholeMapping(0x7f1000000000, 300, ""));
  const MemoryFile file(MakeImage(metadata_, [](PageSink& sink) {
    ASSERT_TRUE(sink.Write({0x7f1000000000}, PatternPages(1, 300), PageSource::kScanned));
    ASSERT_TRUE(sink.Write({0x10000}, PatternPages(2, 4), PageSource::kFaulted));
    ASSERT_TRUE(sink.Zero(Range(0x7f0000000000, 0x7f0000006000)));
    ASSERT_TRUE(sink.Lost(Range(0x7f0000006000, 0x7f0000007000), "ksm"));
    ASSERT_TRUE(sink.Lost(Range(0x7f0000007000, 0x7f0000008000), "unmapped"));
  }));
  auto image = ImageReader::Open(file.path());
  ASSERT_TRUE(image) << image.error().message;
  const auto counters = WriteCoreOf(**image, {.path = path_});
  ASSERT_TRUE(counters) << counters.error().message;
  EXPECT_EQ(counters->scanned.count, 300u);
  EXPECT_EQ(counters->faulted.count, 4u);
  EXPECT_EQ(counters->zero.count, 6u);
  EXPECT_EQ(counters->lost.count, 2u);
  const auto core = test::CoreFile::Open(path_);
  ASSERT_TRUE(core);
  EXPECT_EQ(PagesIn(**core, 0x7f1000000000, 300), PatternPages(1, 300));
  EXPECT_EQ(PagesIn(**core, 0x10000, 4), PatternPages(2, 4));
  EXPECT_EQ(PagesIn(**core, 0x7f0000000000, 6), ZeroPages(6));
  EXPECT_TRUE(PagesIn(**core, 0x7f0000006000, 1).empty());
  EXPECT_EQ(NotedRanges(**core).size(), 2u);
  EXPECT_EQ((*core)->threads()[0].tid(), 4242);
}

TEST_F(CoreWriterTest, CancelledTheCoreOfAnImageIsNotThere) {
  const MemoryFile file(MakeImage(metadata_, [](PageSink& sink) {
    ASSERT_TRUE(sink.Zero(Range(0x10000, 0x14000)));
    ASSERT_TRUE(sink.Zero(Range(0x7f0000000000, 0x7f0000008000)));
  }));
  auto image = ImageReader::Open(file.path());
  ASSERT_TRUE(image);
  int asked = 0;
  const auto counters = WriteCoreOf(**image, {.path = path_}, [&asked] { return ++asked == 2; });
  ASSERT_FALSE(counters);
  EXPECT_EQ(counters.error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_F(CoreWriterTest, InterruptedWhileItIsCompletedTheCoreOfAnImageIsNotThere) {
  const MemoryFile file(MakeImage(metadata_, [](PageSink& sink) {
    ASSERT_TRUE(sink.Zero(Range(0x10000, 0x14000)));
    ASSERT_TRUE(sink.Zero(Range(0x7f0000000000, 0x7f0000008000)));
  }));
  auto image = ImageReader::Open(file.path());
  ASSERT_TRUE(image);
  // Asked for the last time before the last piece, which writes nothing: what ends it is what comes
  // behind that.
  int asked = 0;
  const auto copied = CopyImageTo(**image, *sink_, [&] {
    if (++asked == 2) sink_->Interrupt();
    return false;
  });
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(asked, 2);
  sink_.reset();
  EXPECT_EQ(directory_.List(), Names{});
}

}  // namespace
}  // namespace stillframe
