// Reading once: blocks are given back to the file system when all their pages were read.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "hand_image.h"
#include "image_samples.h"
#include "stillframe/image_reader.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kBase = 0x10000;

class ImagePunch : public testing::Test {
 protected:
  // A raw block of four pages, of which the last is named by nothing; two blocks that together fill
  // pages of the file; and one that shares its last page with the sections.
  ImagePunch() {
    image_.Place(kBase, image_.AddBlock(PatternPages(1, 4)), 0, 3);
    image_.AddData(kBase + 3 * kPage, PatternPages(2, 8), WireEncoding::kLz4);
    image_.AddData(kBase + 11 * kPage, PatternPages(3, 8), WireEncoding::kLz4);
    const ByteVector bytes = image_.Build();
    test::WriteFile(path_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  // Whether the pages of the file from `offset` on are there, one character each.
  std::string Layout() const {
    const UniqueFd file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    std::string layout;
    const uint64_t end = image_.offset(2) + image_.stored_bytes(2);
    for (uint64_t at = 0; at < end; at += kPage) {
      const off_t data = lseek(file.get(), static_cast<off_t>(at), SEEK_DATA);
      layout += data == static_cast<off_t>(at) ? 'x' : '.';
    }
    return layout;
  }
  std::string LayoutWithout(uint64_t begin, uint64_t end) const {
    std::string layout = full_;
    for (uint64_t at = (begin + kPage - 1) / kPage * kPage; at + kPage <= end; at += kPage) {
      layout[at / kPage] = '.';
    }
    return layout;
  }
  std::unique_ptr<ImageReader> OpenToPunch() const {
    auto reader = ImageReader::Open(path_, {.punch = true});
    EXPECT_TRUE(reader) << reader.error().message;
    return reader ? std::move(*reader) : nullptr;
  }

  const test::TempDir directory_;
  const std::string path_ = directory_ / "image";
  HandImage image_{1};
  std::string full_;
};

TEST_F(ImagePunch, ABlockGoesWhenTheLastOfItsPagesWasRead) {
  full_ = Layout();
  const auto reader = OpenToPunch();
  ASSERT_NE(reader, nullptr);
  ByteVector page(kPage);
  for (const uint64_t number : {0u, 2u, 2u, 0u}) {
    ASSERT_TRUE(reader->ReadPage({kBase + number * kPage}, page));
  }
  EXPECT_EQ(Layout(), full_);
  ByteVector half(kPage / 2);
  ASSERT_TRUE(reader->Read({kBase + kPage}, half));
  EXPECT_EQ(Layout(), full_);
  ASSERT_TRUE(reader->ReadPage({kBase + kPage}, page));
  EXPECT_EQ(Layout(), LayoutWithout(kPage, 5 * kPage));
  const auto again = reader->ReadPage({kBase}, page);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kUsage);
  EXPECT_NE(again.error().message.find("given back"), std::string::npos);
  EXPECT_EQ(reader->Queue()->QueueRead({kBase}, page).error().code, ErrorCode::kUsage);
}

TEST_F(ImagePunch, APageOfTheFileThatBlocksShareGoesWithTheLast) {
  full_ = Layout();
  const auto reader = OpenToPunch();
  ASSERT_NE(reader, nullptr);
  ByteVector pages(8 * kPage);
  ASSERT_TRUE(reader->Read({kBase + 11 * kPage}, pages));
  EXPECT_EQ(pages, PatternPages(3, 8));
  const uint64_t border = image_.offset(2);
  const uint64_t end = border + image_.stored_bytes(2);
  ASSERT_NE(border % kPage, 0u);
  ASSERT_NE(end % kPage, 0u);
  EXPECT_EQ(Layout(), LayoutWithout(border, end));
  ASSERT_TRUE(reader->Read({kBase + 3 * kPage}, pages));
  EXPECT_EQ(pages, PatternPages(2, 8));
  EXPECT_EQ(Layout(), LayoutWithout(image_.offset(1), end));
}

TEST_F(ImagePunch, AQueueGivesBackWhatItHasHandedOut) {
  full_ = Layout();
  const auto reader = OpenToPunch();
  ASSERT_NE(reader, nullptr);
  const auto queue = reader->Queue();
  std::vector<ByteVector> pages(19, ByteVector(kPage));
  for (uint64_t i = 0; i < pages.size(); ++i) {
    ASSERT_TRUE(queue->QueueRead({kBase + i * kPage}, pages[i]));
  }
  EXPECT_EQ(Layout(), full_);
  ASSERT_TRUE(queue->Sync());
  EXPECT_EQ(Layout(), LayoutWithout(kPage, image_.offset(2) + image_.stored_bytes(2)));
  EXPECT_EQ(pages[0], PatternPages(1, 1));
  EXPECT_EQ(pages[3], PatternPages(2, 1));
  // What is left can't be taken for an image.
  EXPECT_FALSE(reader->Verify());
}

TEST_F(ImagePunch, WhatSomebodyElseReadsIsLeftAlone) {
  const auto other = ImageReader::Open(path_);
  ASSERT_TRUE(other);
  const auto reader = ImageReader::Open(path_, {.punch = true});
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::kUsage);
  EXPECT_NE(reader.error().message.find("just now"), std::string::npos);
}

TEST_F(ImagePunch, NobodyElseReadsItMeanwhile) {
  const auto reader = OpenToPunch();
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(ImageReader::Open(path_).error().code, ErrorCode::kUsage);
}

TEST_F(ImagePunch, ParentsAreLeftAsTheyAre) {
  full_ = Layout();
  HandImage child(2);
  child.Add(WireKind::kInParent, kBase, 3);
  child.AddData(kBase + 3 * kPage, PatternPages(9, 2));
  child.SetParent(image_.name(), "image");
  const ByteVector bytes = child.Build();
  test::WriteFile(directory_ / "child",
                  {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const auto reader = ImageReader::Open(directory_ / "child", {.punch = true});
  ASSERT_TRUE(reader) << reader.error().message;
  ByteVector pages(5 * kPage);
  ASSERT_TRUE((*reader)->Read({kBase}, pages));
  EXPECT_EQ(Layout(), full_);
  EXPECT_FALSE((*reader)->Read({kBase + 3 * kPage}, pages));
  EXPECT_TRUE((*reader)->Read({kBase}, std::span(pages).first(3 * kPage)));
  EXPECT_TRUE(ImageReader::Open(path_));
}

}  // namespace
}  // namespace stillframe
