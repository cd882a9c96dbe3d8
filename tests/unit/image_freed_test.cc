// Images of which dedup has freed parts.
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "hand_image.h"
#include "image_samples.h"
#include "stillframe/image_reader.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kBase = 0x10000;

void WriteBytes(const std::string& path, const ByteVector& bytes) {
  test::WriteFile(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// A raw block of four pages, of which the second and third are freed, a freed block in LZ4, and one
// in Zstandard that is whole.
class ImageFreed : public testing::Test {
 protected:
  ImageFreed() {
    raw_ = image_.AddBlock(PatternPages(1, 4));
    image_.Place(kBase, raw_, 0, 4);
    encoded_ = image_.AddBlock(PatternPages(2, 3), WireEncoding::kLz4);
    image_.Place(kBase + 4 * kPage, encoded_, 0, 3);
    image_.AddData(kBase + 7 * kPage, PatternPages(3, 2), WireEncoding::kZstd);
    image_.KeepHashes();
    bytes_ = image_.Build();
    freed_ = image_.FreedFile({{.block = raw_, .pages = 6}, {.block = encoded_, .pages = 7}}, true);
  }

  // The image with its freed parts as zeros, or as they were.
  void Write(bool holes) {
    ByteVector bytes = bytes_;
    const auto clear = [&bytes](uint64_t offset, uint64_t length) {
      std::memset(bytes.data() + offset, 0, length);
    };
    if (holes) {
      clear(image_.offset(raw_) + kPage, 2 * kPage);
      clear(image_.offset(encoded_), image_.stored_bytes(encoded_));
    }
    WriteBytes(path_, bytes);
  }
  std::string Complaint() const {
    const auto reader = ImageReader::Open(path_);
    if (!reader) return reader.error().message;
    const auto verified = (*reader)->Verify();
    return verified ? "" : verified.error().message;
  }
  void ExpectComplaint(const std::string& what) const {
    EXPECT_NE(Complaint().find(what), std::string::npos) << Complaint() << "\nnot: " << what;
  }

  const test::TempDir directory_;
  const std::string path_ = directory_ / "image";
  HandImage image_{1};
  size_t raw_ = 0;
  size_t encoded_ = 0;
  ByteVector bytes_;
  ByteVector freed_;
};

TEST_F(ImageFreed, WhatWasNotFreedReadsAsBefore) {
  for (const bool holes : {false, true}) {
    Write(holes);
    WriteBytes(path_ + ".freed",
               holes ? freed_
                     : image_.FreedFile(
                           {{.block = raw_, .pages = 6}, {.block = encoded_, .pages = 7}}, false));
    EXPECT_EQ(Complaint(), "");
    const auto reader = ImageReader::Open(path_);
    ASSERT_TRUE(reader);
    const auto queue = (*reader)->Queue();
    for (const auto& [at, expected] :
         {std::pair{kBase, PatternPages(1, 1)}, {kBase + 7 * kPage, PatternPages(3, 1)}}) {
      ByteVector page(kPage);
      ASSERT_TRUE((*reader)->ReadPage({at}, page));
      EXPECT_EQ(page, expected);
      ByteVector queued(kPage);
      ASSERT_TRUE(queue->QueueRead({at}, queued));
      ASSERT_TRUE(queue->Sync());
      EXPECT_EQ(queued, expected);
    }
  }
}

TEST_F(ImageFreed, ABlockThatIsQueuedIsCheckedWithoutItsFreedPages) {
  HandImage plain(5);
  const size_t block = plain.AddBlock(PatternPages(1, 4));
  plain.Place(kBase, block, 0, 4);
  ByteVector bytes = plain.Build();
  WriteBytes(path_ + ".freed", plain.FreedFile({{.block = block, .pages = 2}}, false));
  std::memset(bytes.data() + plain.offset(block) + kPage, 0, 100);  // it was killed in the middle
  WriteBytes(path_, bytes);
  const auto reader = ImageReader::Open(path_);
  ASSERT_TRUE(reader) << reader.error().message;
  ByteVector pages(2 * kPage);
  const auto queue = (*reader)->Queue();
  ASSERT_TRUE(queue->QueueRead({kBase + 2 * kPage}, std::span(pages).first(kPage)));
  ASSERT_TRUE(queue->QueueRead({kBase + 3 * kPage}, std::span(pages).subspan(kPage)));
  const auto done = queue->Sync();
  ASSERT_TRUE(done) << done.error().message;
  ByteVector expected(2 * kPage);
  ASSERT_TRUE((*reader)->Read({kBase + 2 * kPage}, expected));
  EXPECT_EQ(pages, expected);
}

TEST_F(ImageFreed, AFreedPageCanNotBeReadAndSaysWhy) {
  Write(true);
  WriteBytes(path_ + ".freed", freed_);
  const auto reader = ImageReader::Open(path_);
  ASSERT_TRUE(reader);
  const auto queue = (*reader)->Queue();
  ByteVector page(kPage);
  for (const uint64_t number : {1u, 2u, 4u, 6u}) {
    const TargetAddress at{kBase + number * kPage};
    for (const auto& result : {(*reader)->ReadPage(at, page), queue->QueueRead(at, page)}) {
      ASSERT_FALSE(result) << number;
      EXPECT_EQ(result.error().code, ErrorCode::kUsage);
      EXPECT_EQ(result.error().address, at);
      EXPECT_NE(result.error().message.find("freed by dedup"), std::string::npos);
    }
    EXPECT_EQ((*reader)->HashOf(at), std::nullopt);
  }
  ByteVector two(2 * kPage);
  EXPECT_EQ((*reader)->Read({kBase + 100}, two).error().address, (TargetAddress{kBase + kPage}));
}

TEST_F(ImageFreed, RunsAndTheChainTellOfFreedPages) {
  Write(true);
  WriteBytes(path_ + ".freed", freed_);
  const auto reader = ImageReader::Open(path_);
  ASSERT_TRUE(reader);
  const auto runs = (*reader)->Runs({{0}, {UINT64_MAX}});
  ASSERT_EQ(runs.size(), 5u);
  EXPECT_EQ(runs[0].kind, PageKind::kData);
  EXPECT_EQ(runs[1].kind, PageKind::kFreed);
  EXPECT_EQ(runs[1].range, (AddressRange{{kBase + kPage}, {kBase + 3 * kPage}}));
  EXPECT_EQ(runs[2].kind, PageKind::kData);
  EXPECT_EQ(runs[3].kind, PageKind::kFreed);
  EXPECT_EQ(runs[3].range.pages().count, 3u);
  EXPECT_EQ(runs[4].kind, PageKind::kData);
  EXPECT_EQ((*reader)->chain()[0].freed.count, 5u);
}

TEST_F(ImageFreed, OnceCompleteAllThatWasFreedIsZero) {
  Write(false);
  WriteBytes(path_ + ".freed", freed_);
  ExpectComplaint("what was freed of its block at offset 4096 is not zero");
}

TEST_F(ImageFreed, HolesThatNoFileTellsOfAreDamage) {
  Write(true);
  ExpectComplaint("the checksum of the 4 pages at 0x10000 is wrong");
  // Nor does that of another image.
  HandImage other(2);
  other.AddData(kBase, PatternPages(1, 4));
  other.Build();
  WriteBytes(path_ + ".freed", other.FreedFile({{.block = 0, .pages = 6}}, true));
  ExpectComplaint("the checksum of the 4 pages at 0x10000 is wrong");
}

TEST_F(ImageFreed, EveryFlippedBitOfTheFileIsFound) {
  Write(true);
  for (size_t bit = 0; bit < freed_.size() * 8; ++bit) {
    ByteVector bad = freed_;
    bad[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    WriteBytes(path_ + ".freed", bad);
    ASSERT_NE(Complaint(), "") << bit;
  }
  for (size_t size = 0; size < freed_.size(); ++size) {
    WriteBytes(path_ + ".freed", {freed_.begin(), freed_.begin() + static_cast<ptrdiff_t>(size)});
    ASSERT_NE(Complaint(), "") << size;
  }
}

TEST_F(ImageFreed, AListOfWhatCanNotBeFreedIsRefused) {
  Write(true);
  const auto with = [this](const std::vector<HandImage::Freed>& freed) {
    WriteBytes(path_ + ".freed", image_.FreedFile(freed, true));
    return Complaint();
  };
  const HandImage::Freed kGood{.block = encoded_, .pages = 7};
  EXPECT_NE(with({{.block = raw_, .pages = 16}, kGood}).find("can't be freed"), std::string::npos);
  EXPECT_NE(with({{.block = raw_, .pages = 0}, kGood}).find("can't be freed"), std::string::npos);
  EXPECT_NE(with({{.block = encoded_, .pages = 3}}).find("can't be freed"), std::string::npos);
  EXPECT_NE(with({kGood, {.block = raw_, .pages = 6}}).find("out of order"), std::string::npos);
  EXPECT_NE(with({kGood, kGood}).find("out of order"), std::string::npos);
}

// It was a parent itself when dedup freed what it has in its own parent.
TEST_F(ImageFreed, OfADifferenceWhatWasFreedInItsParentIsFreedToo) {
  Write(true);
  WriteBytes(path_ + ".freed", freed_);
  for (uint64_t number = 0; number < 9; ++number) {
    HandImage child(9);
    child.Add(WireKind::kInParent, kBase + number * kPage, 1);
    child.SetParent(image_.name(), "image");
    WriteBytes(directory_ / "child", child.Build());
    const auto reader = ImageReader::Open(directory_ / "child");
    const bool gone = number == 1 || number == 2 || (number >= 4 && number < 7);
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_TRUE((*reader)->Verify());
    const std::vector<ImageRun> runs = (*reader)->Runs({{0}, {UINT64_MAX}});
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_EQ(runs.front().kind, gone ? PageKind::kFreed : PageKind::kData) << number;
    EXPECT_EQ((*reader)->HashOf(runs.front().range.begin).has_value(), !gone);
    ByteVector page(kPage);
    const auto read = (*reader)->ReadPage(runs.front().range.begin, page);
    ASSERT_EQ(read.has_value(), !gone) << number;
    if (gone) {
      EXPECT_EQ(read.error().code, ErrorCode::kUsage);
    }
  }
}

}  // namespace
}  // namespace stillframe
