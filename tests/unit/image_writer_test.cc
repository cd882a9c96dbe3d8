// What the writer of images accepts, and what it refuses to complete.
#include <gtest/gtest.h>

#include <string>

#include "image_samples.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

// Counts what it is given, and fails when told to.
class FailingStore final : public Store {
 public:
  explicit FailingStore(uint64_t appends) : left_(appends) {}
  Result<void> Append(std::span<const iovec> parts) override {
    if (left_ == 0) return Fail(ErrorCode::kOutput, "no space");
    --left_;
    for (const iovec& part : parts) Advance(part.iov_len);
    return {};
  }
  Result<void> Publish() override { return {}; }
  void Interrupt() override {}

 private:
  uint64_t left_;
};

class ImageWriterTest : public testing::Test {
 protected:
  ImageWriterTest() {
    sink_ = *ImageWriter::Create(std::make_unique<MemoryStore>(&published_), {});
    metadata_.mappings = {WholeMapping(0x10000, 2, ""), WholeMapping(0x12000, 2, "")};
  }
  void ExpectFinishFails(const std::string& what) {
    const auto result = sink_->Finish(metadata_);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInternal);
    EXPECT_NE(result.error().message.find(what), std::string::npos) << result.error().message;
    EXPECT_TRUE(published_.empty());
  }

  ByteVector published_;
  std::unique_ptr<PageSink> sink_;
  ImageMetadata metadata_;
};

TEST_F(ImageWriterTest, APageThatIsMissingIsNamed) {
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x11000}}));
  ASSERT_TRUE(sink_->Zero({{0x12000}, {0x14000}}));
  ExpectFinishFails("0x11000 is missing");
}

TEST_F(ImageWriterTest, ALastPageThatIsMissingIsNamed) {
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x13000}}));
  ExpectFinishFails("0x13000 is missing");
}

TEST_F(ImageWriterTest, APageToldOfTwiceIsNamed) {
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x14000}}));
  ASSERT_TRUE(sink_->Write({0x12000}, PatternPages(1, 1), PageSource::kFaulted));
  ExpectFinishFails("0x12000 is there twice");
}

TEST_F(ImageWriterTest, APageZeroAndLostIsNamed) {
  ASSERT_TRUE(sink_->Lost({{0x13000}, {0x14000}}, "ksm"));
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x14000}}));
  ExpectFinishFails("0x13000 is there twice");
}

TEST_F(ImageWriterTest, APageOfNoMappingIsNamed) {
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x15000}}));
  ExpectFinishFails("0x14000 belongs to no saved mapping");
}

TEST_F(ImageWriterTest, APageBehindTheSavedPartIsNamed) {
  metadata_.mappings[0].saved.end = {0x11000};
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x14000}}));
  ExpectFinishFails("0x11000 belongs to no saved mapping");
}

TEST_F(ImageWriterTest, MappingsThatOverlapAreRefused) {
  metadata_.mappings[1].mapping.range.begin = {0x11000};
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x14000}}));
  ExpectFinishFails("overlaps the one before it");
}

TEST_F(ImageWriterTest, OnlyTheSavedPartIsAskedFor) {
  metadata_.mappings[0].saved.end = {0x11000};
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x11000}}));
  ASSERT_TRUE(sink_->Zero({{0x12000}, {0x14000}}));
  EXPECT_TRUE(sink_->Finish(metadata_));
  EXPECT_FALSE(published_.empty());
}

TEST_F(ImageWriterTest, NothingIsTakenThatIsNotWholePages) {
  const ByteVector bytes(2 * kPage);
  EXPECT_FALSE(sink_->Write({0x10001}, std::span(bytes).first(kPage), PageSource::kScanned));
  EXPECT_FALSE(sink_->Write({0x10000}, std::span(bytes).first(100), PageSource::kScanned));
  EXPECT_FALSE(sink_->Write({UINT64_MAX - kPage + 1}, bytes, PageSource::kScanned));
  EXPECT_FALSE(sink_->Zero({{0x10000}, {0x10001}}));
  EXPECT_FALSE(sink_->Lost({{0x10010}, {0x11010}}, "ksm"));
}

TEST_F(ImageWriterTest, NothingIsTakenAfterTheEnd) {
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x14000}}));
  ASSERT_TRUE(sink_->Finish(metadata_));
  EXPECT_FALSE(sink_->Finish(metadata_));
  EXPECT_FALSE(sink_->Zero({{0x10000}, {0x14000}}));
}

TEST_F(ImageWriterTest, EmptyRangesAreNothing) {
  EXPECT_TRUE(sink_->Zero({{0x10000}, {0x10000}}));
  EXPECT_TRUE(sink_->Lost({{0x10000}, {0x10000}}, "ksm"));
  EXPECT_TRUE(sink_->Write({0x10000}, {}, PageSource::kScanned));
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x14000}}));
  EXPECT_TRUE(sink_->Finish(metadata_));
}

TEST_F(ImageWriterTest, ZerosAreFoundInWhatIsWrittenAndNotStored) {
  ByteVector pages = PatternPages(1, 4);
  std::fill(pages.begin() + kPage, pages.begin() + 2 * kPage, std::byte{0});
  const uint64_t before = sink_->counters().written.count;
  ASSERT_TRUE(sink_->Write({0x10000}, pages, PageSource::kPaused));
  EXPECT_EQ(sink_->counters().written.count - before, 3 * kPage);
  EXPECT_EQ(sink_->counters().zero.count, 1u);
  EXPECT_EQ(sink_->counters().paused.count, 3u);
  EXPECT_TRUE(sink_->Finish(metadata_));
  EXPECT_EQ(sink_->counters().written.count, published_.size());
  EXPECT_EQ(SectionOf(published_, SectionType::kProcess).offset, kHeaderSize + 3 * kPage);
}

TEST_F(ImageWriterTest, NeighbouringRangesBecomeOneEntry) {
  ASSERT_TRUE(sink_->Zero({{0x13000}, {0x14000}}));
  ASSERT_TRUE(sink_->Zero({{0x11000}, {0x12000}}));
  ASSERT_TRUE(sink_->Zero({{0x12000}, {0x13000}}));
  ASSERT_TRUE(sink_->Zero({{0x10000}, {0x11000}}));
  ASSERT_TRUE(sink_->Finish(metadata_));
  EXPECT_EQ(SectionOf(published_, SectionType::kIndex).length, sizeof(WireIndexEntry));
}

TEST_F(ImageWriterTest, LostRangesOfDifferentReasonsStayApart) {
  ASSERT_TRUE(sink_->Lost({{0x10000}, {0x11000}}, "ksm"));
  ASSERT_TRUE(sink_->Lost({{0x11000}, {0x12000}}, "unmapped"));
  ASSERT_TRUE(sink_->Lost({{0x12000}, {0x14000}}, "unmapped"));
  ASSERT_TRUE(sink_->Finish(metadata_));
  EXPECT_EQ(SectionOf(published_, SectionType::kIndex).length, 2 * sizeof(WireIndexEntry));
  EXPECT_EQ(sink_->counters().lost.count, 4u);
}

TEST_F(ImageWriterTest, ThereIsRoomForTwoHundredAndFiftySixReasons) {
  for (int i = 0; i < 256; ++i) {
    ASSERT_TRUE(sink_->Lost({{0x10000}, {0x11000}}, "reason " + std::to_string(i)));
  }
  EXPECT_FALSE(sink_->Lost({{0x10000}, {0x11000}}, "one more"));
  EXPECT_TRUE(sink_->Lost({{0x10000}, {0x11000}}, "reason 255"));
}

TEST(ImageWriter, AlternatingPagesMakeMoreBuffersThanOneWriteTakes) {
  const uint64_t pages = 400;
  ByteVector bytes = PatternPages(3, pages);
  for (uint64_t page = 1; page < pages; page += 2) {
    std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(page * kPage), kPage, std::byte{0});
  }
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x10000, pages, "")};
  const MemoryFile file(MakeImage(metadata, [&](PageSink& sink) {
    ASSERT_TRUE(sink.Write({0x10000}, bytes, PageSource::kScanned));
  }));
  const auto reader = ImageReader::Open(file.path());
  ASSERT_TRUE(reader);
  ByteVector got(bytes.size());
  ASSERT_TRUE((*reader)->Read({0x10000}, got));
  EXPECT_EQ(got, bytes);
}

TEST(ImageWriter, AfterAFailedWriteNothingSucceeds) {
  auto sink = ImageWriter::Create(std::make_unique<FailingStore>(1), {});
  ASSERT_TRUE(sink);
  EXPECT_EQ((*sink)->Write({0x1000}, PatternPages(1, 64), PageSource::kScanned).error().code,
            ErrorCode::kOutput);
  EXPECT_EQ((*sink)->Zero({{0x1000}, {0x2000}}).error().code, ErrorCode::kOutput);
  EXPECT_EQ((*sink)->Finish({}).error().code, ErrorCode::kOutput);
}

TEST(ImageWriter, PagesTooFewForAWriteAreNotForgotten) {
  auto sink = ImageWriter::Create(std::make_unique<FailingStore>(1), {});
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->Write({0x1000}, PatternPages(1, 1), PageSource::kScanned));
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x1000, 1, "")};
  EXPECT_EQ((*sink)->Finish(metadata).error().code, ErrorCode::kOutput);
}

// Every length next to every other: what is gathered must not change places with what is not.
TEST(ImageWriter, SmallAndLargeWritesKeepTheirOrder) {
  constexpr uint64_t kLengths[] = {1, 20, 33, 40, 63, 64, 65, 130};
  ImageMetadata metadata;
  std::vector<std::pair<uint64_t, uint64_t>> writes;
  uint64_t pages = 0;
  for (const uint64_t first : kLengths) {
    for (const uint64_t second : kLengths) {
      for (const uint64_t length : {first, second}) {
        writes.emplace_back(pages, length);
        pages += length;
      }
    }
  }
  metadata.mappings = {WholeMapping(0, pages, "")};
  const MemoryFile file(MakeImage(metadata, [&](PageSink& sink) {
    for (const auto& [page, length] : writes) {
      ASSERT_TRUE(sink.Write({page * kPage}, PatternPages(page + 1, length), PageSource::kScanned));
    }
  }));
  const auto reader = ImageReader::Open(file.path());
  ASSERT_TRUE(reader);
  EXPECT_TRUE((*reader)->Verify());
  for (const auto& [page, length] : writes) {
    ByteVector got(length * kPage);
    ASSERT_TRUE((*reader)->Read({page * kPage}, got));
    ASSERT_EQ(got, PatternPages(page + 1, length));
  }
}

TEST(ImageWriter, ThePacerIsAskedForEveryByteInPiecesOfItsSize) {
  ByteVector published;
  auto sink = *ImageWriter::Create(std::make_unique<MemoryStore>(&published), {});
  uint64_t asked = 0;
  sink->SetPacer(
      [&asked](Bytes bytes) -> Result<void> {
        EXPECT_LE(bytes.count, 3 * kPage);
        asked += bytes.count;
        return {};
      },
      {3 * kPage});
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x1000, 101, "")};
  ASSERT_TRUE(sink->Write({0x1000}, PatternPages(1, 100), PageSource::kScanned));
  ASSERT_TRUE(sink->Write({0x65000}, PatternPages(2, 1), PageSource::kFaulted));
  ASSERT_TRUE(sink->Finish(metadata));
  // The header went out before.
  EXPECT_EQ(asked + kHeaderSize, published.size());
}

TEST(ImageWriter, ThePacersErrorEndsTheImage) {
  ByteVector published;
  auto sink = *ImageWriter::Create(std::make_unique<MemoryStore>(&published), {});
  sink->SetPacer([](Bytes) { return Fail(ErrorCode::kInterrupted, "cancelled"); }, {0});
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x1000, 100, "")};
  const auto written = sink->Write({0x1000}, PatternPages(1, 100), PageSource::kScanned);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(sink->Finish(metadata).error().code, ErrorCode::kInterrupted);
  EXPECT_TRUE(published.empty());
}

TEST(ImageWriter, AHeaderThatCanNotBeWrittenMakesNoImage) {
  EXPECT_FALSE(ImageWriter::Create(std::make_unique<FailingStore>(0), {}));
}

}  // namespace
}  // namespace stillframe
