// Images that earlier versions have written, which every later one has to read: tests/golden/.
#include <gtest/gtest.h>

#include <string>

#include "image_samples.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

const std::string kGolden = STILLFRAME_GOLDEN;
constexpr uint64_t kPage = kPageSize.count;

std::unique_ptr<ImageReader> OpenVerified(const std::string& name) {
  auto reader = ImageReader::Open(kGolden + "/" + name);
  EXPECT_TRUE(reader) << reader.error().message;
  if (!reader) return nullptr;
  const auto verified = (*reader)->Verify();
  EXPECT_TRUE(verified) << verified.error().message;
  return std::move(*reader);
}

// The pages by Read and by a queue.
ByteVector Pages(const ImageReader& reader, uint64_t address, uint64_t count) {
  ByteVector pages(count * kPage);
  EXPECT_TRUE(reader.Read({address}, pages));
  ByteVector queued(pages.size());
  const auto queue = reader.Queue();
  for (uint64_t at = 0; at < queued.size(); at += kPage) {
    EXPECT_TRUE(queue->QueueRead({address + at}, std::span(queued).subspan(at, kPage)));
  }
  EXPECT_TRUE(queue->Sync());
  EXPECT_EQ(pages, queued);
  return pages;
}

TEST(ImageGolden, TheSmallImageOfVersion1) {
  const auto reader = OpenVerified("v1/small");
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->format_version(), 1u);
  EXPECT_EQ(reader->metadata(), SmallMetadata());
  EXPECT_EQ(Pages(*reader, 0x10000, 1), PatternPages(1, 1));
  EXPECT_EQ(Pages(*reader, 0x11000, 2), ByteVector(2 * kPage));
  const auto lost = LostRanges(*reader);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].range, (AddressRange{{0x23000}, {0x24000}}));
  EXPECT_EQ(lost[0].reason, "unmapped");
}

TEST(ImageGolden, TheRewrittenImageOfVersion1) {
  const auto reader = OpenVerified("v1/rewritten");
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(Pages(*reader, 0x10000, 1), PatternPages(1, 1));
  EXPECT_EQ(Pages(*reader, 0x11000, 1), PatternPages(4, 1));
  EXPECT_EQ(Pages(*reader, 0x13000, 1), ByteVector(kPage));
  EXPECT_EQ(Pages(*reader, 0x14000, 2), PatternPages(5, 2));
}

TEST(ImageGolden, TheEmptyImageOfVersion1) {
  const auto reader = OpenVerified("v1/empty");
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(reader->Runs({{0}, {UINT64_MAX}}).empty());
}

TEST(ImageGolden, TheEncodedImageOfVersion2) {
  const auto reader = OpenVerified("v2/packed");
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->format_version(), 2u);
  EXPECT_EQ(Pages(*reader, 0x10000, 3), PatternPages(1, 3));
  const ByteVector zstd = PatternPages(2, 8);
  EXPECT_EQ(Pages(*reader, 0x40000, 3), ByteVector(zstd.begin() + 5 * kPage, zstd.end()));
  const auto lost = LostRanges(*reader);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].reason, "unmapped");
}

TEST(ImageGolden, TheDifferenceOfVersion2) {
  const auto reader = OpenVerified("v2/difference");
  ASSERT_NE(reader, nullptr);
  ASSERT_EQ(reader->chain().size(), 2u);
  const ByteVector lz4 = PatternPages(1, 2);
  EXPECT_EQ(Pages(*reader, 0x11000, 1), ByteVector(lz4.begin() + kPage, lz4.end()));
  EXPECT_EQ(Pages(*reader, 0x12000, 1), PatternPages(9, 1));
}

}  // namespace
}  // namespace stillframe
