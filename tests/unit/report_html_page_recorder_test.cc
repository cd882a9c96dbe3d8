#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "report/html_page_recorder.h"

namespace stillframe {
namespace {

// Notes what it is given, and fails once when it is told to.
class FakeSink : public PageSink {
 public:
  struct Seen {
    std::vector<std::string> calls;
    bool fail = false;
    bool interrupted = false;
    bool needs_order = false;
  };
  explicit FakeSink(Seen& seen) : seen_(seen) {}

  Result<void> Write(TargetAddress, std::span<const std::byte> pages, PageSource) override {
    return Note("write " + std::to_string(pages.size()));
  }
  Result<void> Zero(AddressRange) override { return Note("zero"); }
  Result<void> Lost(AddressRange, std::string_view reason) override {
    return Note("lost " + std::string(reason));
  }
  Result<void> Finish(const ImageMetadata&) override { return Note("finish"); }
  void Interrupt() override { seen_.interrupted = true; }
  void SetPacer(std::function<Result<void>(Bytes)>, Bytes largest) override {
    seen_.calls.push_back("pacer " + std::to_string(largest.count));
  }
  Result<void> AllowRepeats() override { return Note("repeats"); }
  Result<void> Expect(const ImageMetadata& metadata, Expectation expectation) override {
    return Note("expect " + std::to_string(metadata.mappings.size()) +
                (expectation == Expectation::kSettled ? " settled" : " so far"));
  }
  bool needs_order() const override { return seen_.needs_order; }
  SinkCounters counters() const override {
    SinkCounters counters;
    counters.written = Bytes{17};
    return counters;
  }

 private:
  Result<void> Note(std::string call) {
    if (seen_.fail) return Fail(ErrorCode::kOutput, "no space");
    seen_.calls.push_back(std::move(call));
    return {};
  }
  Seen& seen_;
};

struct Recorded {
  FakeSink::Seen seen;
  std::shared_ptr<HtmlPageRecord> record = std::make_shared<HtmlPageRecord>();
  std::unique_ptr<PageSink> sink = RecordPages(std::make_unique<FakeSink>(seen), record);
};

std::vector<std::byte> PagesOf(std::initializer_list<int> values) {
  std::vector<std::byte> pages;
  for (const int value : values) pages.resize(pages.size() + kPageSize.count, std::byte(value));
  return pages;
}

AddressRange Range(uint64_t begin, uint64_t pages) {
  return {TargetAddress{begin}, TargetAddress{begin} + ToBytes(Pages{pages})};
}

std::string Text(const HtmlPageRecord& record) {
  const char* kinds[] = {"zero", "scanned", "faulted", "paused", "lost"};
  std::string text;
  for (const HtmlPageRange& range : record.ranges) {
    text += std::string(kinds[static_cast<size_t>(range.kind)]) + " " +
            std::to_string(range.range.begin.value >> 12) + "+" +
            std::to_string(range.range.pages().count) + "; ";
  }
  return text;
}

TEST(HtmlPageRecorder, EveryCallReachesTheSinkBehindIt) {
  Recorded recorded;
  recorded.sink->SetPacer(nullptr, Bytes{99});
  ImageMetadata metadata;
  metadata.mappings.resize(2);
  ASSERT_TRUE(recorded.sink->Expect(metadata, Expectation::kSoFar));
  metadata.mappings.resize(1);
  ASSERT_TRUE(recorded.sink->Expect(metadata, Expectation::kSettled));
  ASSERT_TRUE(recorded.sink->Write({0x1000}, PagesOf({1, 2}), PageSource::kScanned));
  ASSERT_TRUE(recorded.sink->Zero(Range(0x3000, 4)));
  ASSERT_TRUE(recorded.sink->Lost(Range(0x7000, 1), "unmapped"));
  ASSERT_TRUE(recorded.sink->Finish({}));
  recorded.sink->Interrupt();
  EXPECT_EQ(recorded.seen.calls,
            std::vector<std::string>({"pacer 99", "expect 2 so far", "expect 1 settled",
                                      "write 8192", "zero", "lost unmapped", "finish"}));
  EXPECT_FALSE(recorded.sink->needs_order());
  recorded.seen.needs_order = true;
  EXPECT_TRUE(recorded.sink->needs_order());
  EXPECT_TRUE(recorded.seen.interrupted);
  EXPECT_EQ(recorded.sink->counters().written, Bytes{17});
}

TEST(HtmlPageRecorder, PagesAreNotedByWhoSavedThemAndNeighboursTogether) {
  Recorded recorded;
  ASSERT_TRUE(recorded.sink->Write({0x1000}, PagesOf({1, 2}), PageSource::kScanned));
  ASSERT_TRUE(recorded.sink->Write({0x3000}, PagesOf({3}), PageSource::kScanned));
  ASSERT_TRUE(recorded.sink->Write({0x9000}, PagesOf({3}), PageSource::kFaulted));
  ASSERT_TRUE(recorded.sink->Write({0xa000}, PagesOf({3}), PageSource::kPaused));
  ASSERT_TRUE(recorded.sink->Lost(Range(0xb000, 2), "ksm"));
  EXPECT_EQ(Text(*recorded.record), "scanned 1+3; faulted 9+1; paused 10+1; lost 11+2; ");
}

TEST(HtmlPageRecorder, APageOfZerosCountsAsZeroWhoeverSavedIt) {
  Recorded recorded;
  std::vector<std::byte> pages = PagesOf({0, 0, 5, 0});
  pages[kPageSize.count - 1] = std::byte{1};  // one byte at the very end
  ASSERT_TRUE(recorded.sink->Write({0x1000}, pages, PageSource::kFaulted));
  EXPECT_EQ(Text(*recorded.record), "faulted 1+1; zero 2+1; faulted 3+1; zero 4+1; ");
}

TEST(HtmlPageRecorder, WhatTheSinkRefusedIsNotNoted) {
  Recorded recorded;
  recorded.seen.fail = true;
  EXPECT_FALSE(recorded.sink->Write({0x1000}, PagesOf({1}), PageSource::kScanned));
  EXPECT_FALSE(recorded.sink->Zero(Range(0x3000, 4)));
  EXPECT_FALSE(recorded.sink->Lost(Range(0x7000, 1), "unmapped"));
  EXPECT_EQ(Text(*recorded.record), "");
}

TEST(HtmlPageRecorder, FinishTellsTheMappingsThatTheMapIsDrawnOver) {
  Recorded recorded;
  ASSERT_TRUE(recorded.sink->Write({0x1000}, PagesOf({1}), PageSource::kFaulted));
  ImageMetadata metadata;
  metadata.mappings.resize(1);
  metadata.mappings[0].saved = metadata.mappings[0].mapping.range = Range(0x1000, 1);
  ASSERT_TRUE(recorded.sink->Finish(metadata));
  const HtmlMemoryMap map = recorded.record->ToMap();
  ASSERT_EQ(map.mappings.size(), 1u);
  EXPECT_EQ(map.mappings[0].cells, std::vector<HtmlMemoryMap::Cell>({{0, 0, 1, 0, 0}}));
}

TEST(HtmlPageRecorder, AtTheBoundNeighboursArePutTogetherAndNothingIsForgotten) {
  Recorded recorded;
  // Pages in falling order: none follows the one before.
  for (uint64_t page = HtmlPageRecord::kMaxRanges + 10; page > 0; --page) {
    ASSERT_TRUE(recorded.sink->Zero(Range(page << 12, 1)));
  }
  EXPECT_LE(recorded.record->ranges.size(), 10u + 1);
  EXPECT_EQ(recorded.record->unknown, Pages{0});
}

TEST(HtmlPageRecorder, WhenThatFreesTooLittleTheRestIsCountedAsUnknown) {
  Recorded recorded;
  constexpr uint64_t kMore = 10;
  for (uint64_t i = 0; i < HtmlPageRecord::kMaxRanges + kMore; ++i) {
    ASSERT_TRUE(recorded.sink->Zero(Range(i << 13, 1)));  // every other page
  }
  EXPECT_EQ(recorded.record->ranges.size(), HtmlPageRecord::kMaxRanges);
  EXPECT_EQ(recorded.record->unknown, Pages{kMore});
  EXPECT_EQ(recorded.record->ToMap().unknown, Pages{kMore});
}

TEST(HtmlPageRecorder, WhereAPageMayBeToldOfAgainTheLastTimeCounts) {
  Recorded recorded;
  ASSERT_TRUE(recorded.sink->AllowRepeats());
  EXPECT_EQ(recorded.seen.calls.back(), "repeats");
  ASSERT_TRUE(recorded.sink->Write({0x1000}, PagesOf({1, 1, 1, 1}), PageSource::kScanned));
  ASSERT_TRUE(recorded.sink->Write({0x2000}, PagesOf({2}), PageSource::kPaused));
  ASSERT_TRUE(recorded.sink->Zero({{0x4000}, {0x5000}}));
  ASSERT_TRUE(recorded.sink->Finish({}));
  const auto& ranges = recorded.record->ranges;
  ASSERT_EQ(ranges.size(), 4u);
  EXPECT_EQ(ranges[0].kind, HtmlPageKind::kScanned);
  EXPECT_EQ(ranges[1].kind, HtmlPageKind::kPaused);
  EXPECT_EQ(ranges[1].range, (AddressRange{{0x2000}, {0x3000}}));
  EXPECT_EQ(ranges[2].kind, HtmlPageKind::kScanned);
  EXPECT_EQ(ranges[3].kind, HtmlPageKind::kZero);
}

TEST(HtmlPageRecorder, ASinkThatTakesEachPageOnceIsNotAskedForMore) {
  Recorded recorded;
  recorded.seen.fail = true;
  EXPECT_FALSE(recorded.sink->AllowRepeats());
}

}  // namespace
}  // namespace stillframe
