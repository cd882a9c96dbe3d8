// A core that goes front to back: headers first, then memory by address, nothing left out.
#include "peer/core/core_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "core_samples.h"
#include "stillframe/core.h"
#include "stillframe/image_reader.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

AddressRange Range(uint64_t begin, uint64_t end) { return {{begin}, {end}}; }

class CoreStreamTest : public testing::Test {
 protected:
  CoreStreamTest() { Open({}); }

  void Open(std::vector<RangeReason> lost) {
    sink_ =
        std::make_unique<CoreStream>(std::make_unique<MemoryStore>(&published_), std::move(lost));
  }
  void Settle() {
    const auto result = sink_->Expect(metadata_, Expectation::kSettled);
    ASSERT_TRUE(result) << result.error().message;
  }
  void Write(uint64_t address, const ByteVector& pages) {
    const auto result = sink_->Write({address}, pages, PageSource::kScanned);
    ASSERT_TRUE(result) << result.error().message;
  }
  std::unique_ptr<test::CoreFile> Finish() {
    const auto result = sink_->Finish(metadata_);
    EXPECT_TRUE(result) << result.error().message;
    EXPECT_EQ(sink_->counters().written.count, published_.size());
    test::WriteFile(
        path_, std::string(reinterpret_cast<const char*>(published_.data()), published_.size()));
    auto core = test::CoreFile::Open(path_);
    EXPECT_TRUE(core) << core.error().message;
    return core ? *std::move(core) : nullptr;
  }
  void ExpectRefused(const Result<void>& result, const std::string& what) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInternal);
    EXPECT_NE(result.error().message.find(what), std::string::npos) << result.error().message;
    EXPECT_FALSE(sink_->Finish(metadata_));
    EXPECT_TRUE(published_.empty());
  }

  test::TempDir directory_;
  std::string path_ = directory_ / "core";
  ByteVector published_;
  std::unique_ptr<PageSink> sink_;
  ImageMetadata metadata_ = CoreMetadata({WholeMapping(0x10000, 4, ""), LeftOutMapping(0x14000, 2),
                                          WholeMapping(0x7f0000000000, 300, "")});
};

TEST_F(CoreStreamTest, MemoryByAddressIsACore) {
  EXPECT_TRUE(sink_->needs_order());
  Settle();
  Write(0x10000, PatternPages(1, 1));
  ASSERT_TRUE(sink_->Zero(Range(0x11000, 0x12000)));
  ByteVector pages = PatternPages(2, 2);
  std::fill(pages.begin(), pages.begin() + kPage, std::byte{0});
  Write(0x12000, pages);
  Write(0x7f0000000000, PatternPages(3, 200));
  ASSERT_TRUE(sink_->Zero(Range(0x7f00000c8000, 0x7f000012c000)));
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->WrongInHeaders(), "");
  ASSERT_EQ(core->segments().size(), 3u);
  EXPECT_EQ(core->segments()[1].file_size, 0u);
  EXPECT_EQ(PagesIn(*core, 0x10000, 1), PatternPages(1, 1));
  EXPECT_EQ(PagesIn(*core, 0x11000, 1), ZeroPages(1));
  EXPECT_EQ(PagesIn(*core, 0x12000, 2), pages);
  EXPECT_EQ(PagesIn(*core, 0x7f0000000000, 200), PatternPages(3, 200));
  EXPECT_EQ(PagesIn(*core, 0x7f00000c8000, 100), ZeroPages(100));
  ASSERT_EQ(core->threads().size(), 1u);
  EXPECT_EQ(core->threads()[0].tid(), 4242);
  EXPECT_EQ(sink_->counters().zero.count, 102u);
  EXPECT_EQ(sink_->counters().scanned.count, 202u);
}

TEST_F(CoreStreamTest, LostPagesThatWereAnnouncedAreInNoSegment) {
  Open({{Range(0x7f0000001000, 0x7f0000002000), "ksm"},
        {Range(0x7f0000002000, 0x7f0000003000), "unmapped"},
        {Range(0x10000, 0x11000), "ksm"}});
  Settle();
  ASSERT_TRUE(sink_->Lost(Range(0x10000, 0x11000), "ksm"));
  Write(0x11000, PatternPages(1, 3));
  Write(0x7f0000000000, PatternPages(2, 1));
  ASSERT_TRUE(sink_->Lost(Range(0x7f0000001000, 0x7f0000003000), "ksm"));
  Write(0x7f0000003000, PatternPages(3, 297));
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->segments().size(), 6u);
  EXPECT_TRUE(PagesIn(*core, 0x10000, 1).empty());
  EXPECT_EQ(PagesIn(*core, 0x11000, 3), PatternPages(1, 3));
  EXPECT_EQ(PagesIn(*core, 0x7f0000000000, 1), PatternPages(2, 1));
  EXPECT_TRUE(PagesIn(*core, 0x7f0000001000, 1).empty());
  EXPECT_TRUE(PagesIn(*core, 0x7f0000002000, 1).empty());
  EXPECT_EQ(PagesIn(*core, 0x7f0000003000, 297), PatternPages(3, 297));
  EXPECT_EQ(NotedRanges(*core).size(), 3u);
  EXPECT_EQ(sink_->counters().lost.count, 3u);
}

TEST_F(CoreStreamTest, LostPagesThatWereNotAnnouncedAreRefused) {
  Open({{Range(0x10000, 0x11000), "ksm"}});
  Settle();
  ExpectRefused(sink_->Lost(Range(0x10000, 0x12000), "ksm"), "were lost");
}

TEST_F(CoreStreamTest, PagesThatWereSaidToBeLostAreRefused) {
  Open({{Range(0x11000, 0x12000), "ksm"}});
  Settle();
  ExpectRefused(sink_->Zero(Range(0x10000, 0x14000)), "said to be lost");
}

TEST_F(CoreStreamTest, PagesOutOfOrderAreRefused) {
  Settle();
  Write(0x10000, PatternPages(1, 2));
  ExpectRefused(sink_->Write({0x11000}, PatternPages(1, 1), PageSource::kScanned), "too late");
}

TEST_F(CoreStreamTest, APageLeftOutIsNamed) {
  Settle();
  Write(0x10000, PatternPages(1, 2));
  ExpectRefused(sink_->Zero(Range(0x7f0000000000, 0x7f0000001000)), "0x12000 is missing");
}

TEST_F(CoreStreamTest, APageLeftOutAtTheEndIsNamed) {
  Settle();
  Write(0x10000, PatternPages(1, 4));
  const auto result = sink_->Finish(metadata_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  EXPECT_NE(result.error().message.find("0x7f0000000000 is missing"), std::string::npos);
}

TEST_F(CoreStreamTest, APageOfNoMappingIsNamed) {
  Settle();
  ExpectRefused(sink_->Zero(Range(0x10000, 0x15000)), "0x14000 belongs to no saved mapping");
}

TEST_F(CoreStreamTest, PagesBeforeItIsSettledAreRefused) {
  ASSERT_TRUE(sink_->Expect(metadata_, Expectation::kSoFar));
  ExpectRefused(sink_->Zero(Range(0x10000, 0x14000)), "before it was told where from");
}

TEST_F(CoreStreamTest, ItCannotTakeBackWhatItLetOut) {
  EXPECT_EQ(sink_->AllowRepeats().error().code, ErrorCode::kUnsupported);
}

TEST_F(CoreStreamTest, SeventyThousandMappingsAreCountedBySectionHeaderZero) {
  std::vector<SavedMapping> mappings;
  for (uint64_t i = 0; i < 70'000; ++i) {
    mappings.push_back(LeftOutMapping(0x10000000 + i * 2 * kPage, 1));
  }
  mappings.push_back(WholeMapping(0x7f0000000000, 1, ""));
  metadata_ = CoreMetadata(std::move(mappings));
  Settle();
  Write(0x7f0000000000, PatternPages(1, 1));
  const auto core = Finish();
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(core->header_count(), 0xffffu);
  EXPECT_EQ(core->program_headers(), 70'002u);
  EXPECT_EQ(core->WrongInHeaders(), "");
  EXPECT_EQ(PagesIn(*core, 0x7f0000000000, 1), PatternPages(1, 1));
}

TEST_F(CoreStreamTest, ThePacerIsAskedForAllThatGoesOut) {
  uint64_t asked = 0;
  sink_->SetPacer(
      [&asked](Bytes bytes) -> Result<void> {
        EXPECT_LE(bytes.count, 3 * kPage);
        asked += bytes.count;
        return {};
      },
      Bytes{3 * kPage});
  Settle();
  Write(0x10000, PatternPages(1, 4));
  ASSERT_TRUE(sink_->Zero(Range(0x7f0000000000, 0x7f0000100000)));
  Write(0x7f0000100000, PatternPages(2, 44));
  ASSERT_NE(Finish(), nullptr);
  EXPECT_EQ(asked, published_.size());
}

TEST_F(CoreStreamTest, ADeviceAndADescriptorAreStreams) {
  for (const Output& output : {Output{.path = "/dev/null"}, Output{.descriptor = STDERR_FILENO}}) {
    auto sink = CreateCore(output);
    ASSERT_TRUE(sink) << sink.error().message;
    EXPECT_TRUE((*sink)->needs_order());
  }
  metadata_ = CoreMetadata({WholeMapping(0x10000, 4, "")});
  sink_ = *CreateCore({.path = "/dev/null"});
  Settle();
  Write(0x10000, PatternPages(1, 4));
  EXPECT_TRUE(sink_->Finish(metadata_));
}

TEST_F(CoreStreamTest, InAnyOrderItIsRefusedBeforeItWaitsForAReader) {
  const std::string fifo = directory_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const Output& output :
       {Output{.path = fifo}, Output{.path = "/dev/null"}, Output{.descriptor = STDERR_FILENO}}) {
    const auto refused = CreateCore(output, {.in_order = false});
    ASSERT_FALSE(refused);
    // An opening that gave up waiting says kOutput.
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
    EXPECT_NE(refused.error().message.find(output.path), std::string::npos);
    EXPECT_EQ(refused.error().hint, "--via fork or stop, or a file");
  }
  EXPECT_TRUE(CreateCore({.path = path_}, {.in_order = false}));
}

TEST_F(CoreStreamTest, InterruptedItDoesNotWaitForItsReader) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  metadata_ = CoreMetadata({WholeMapping(0x10000, 4096, "")});
  sink_ = *CreateCore({.descriptor = ends[1]});
  Settle();
  // Nobody reads: it gets no further than the pipe holds.
  std::thread interrupter([this] { sink_->Interrupt(); });
  const auto result = sink_->Zero(Range(0x10000, 0x1010000));
  interrupter.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInterrupted);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(CoreStreamTest, TheCoreOfAnImageIsTheSameThroughAPipe) {
  const MemoryFile file(MakeImage(metadata_, [](PageSink& sink) {
    ASSERT_TRUE(sink.Write({0x7f0000000000}, PatternPages(1, 290), PageSource::kScanned));
    ASSERT_TRUE(sink.Write({0x10000}, PatternPages(2, 4), PageSource::kFaulted));
    ASSERT_TRUE(sink.Lost(Range(0x7f0000122000, 0x7f0000123000), "ksm"));
    ASSERT_TRUE(sink.Zero(Range(0x7f0000123000, 0x7f000012c000)));
  }));
  auto image = ImageReader::Open(file.path());
  ASSERT_TRUE(image) << image.error().message;
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  const auto counters = WriteCoreOf(**image, {.descriptor = fd});
  close(fd);
  ASSERT_TRUE(counters) << counters.error().message;
  EXPECT_EQ(counters->lost.count, 1u);
  const auto core = test::CoreFile::Open(path_);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ(counters->written.count, (*core)->size());
  EXPECT_EQ(PagesIn(**core, 0x7f0000000000, 290), PatternPages(1, 290));
  EXPECT_EQ(PagesIn(**core, 0x10000, 4), PatternPages(2, 4));
  EXPECT_TRUE(PagesIn(**core, 0x7f0000122000, 1).empty());
  EXPECT_EQ(PagesIn(**core, 0x7f0000123000, 9), ZeroPages(9));
}

}  // namespace
}  // namespace stillframe
