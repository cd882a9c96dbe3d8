// The oracle itself: what it copies is what is there, and its comparison finds each kind of
// difference.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstring>

#include "evaluate/page_pattern.h"
#include "scripted.h"
#include "stillframe/image.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"
#include "support/files.h"
#include "support/oracle_compare.h"
#include "support/oracle_copy.h"
#include "support/oracle_file.h"
#include "targets/target_memory.h"

namespace stillframe::test {
namespace {

class OracleCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    copy_ = directory_ / "copy";
    ASSERT_EQ(mkdir(copy_.c_str(), 0700), 0);
    target_.process().Signal(SIGSTOP);
    ASSERT_TRUE(Eventually([&] { return StateOf(target_.pid()) == 'T'; }));
    const auto copied = CopyMemory(target_.pid(), copy_);
    ASSERT_TRUE(copied) << copied.error().message;
    ranges_ = *ReadOracleRanges(copy_);
    pages_ = ReadFile(OraclePagesPath(copy_));
  }

  // An image made of the oracle's own copy, `ranges_` and `pages_`, except for the range of index
  // `left_out`.
  std::unique_ptr<ImageReader> MakeImage(size_t left_out = SIZE_MAX) {
    const std::string path = directory_ / "image";
    auto sink = CreateImage({.path = path, .force = true});
    EXPECT_TRUE(sink);
    ImageMetadata metadata;
    for (size_t i = 0; i < ranges_.size(); ++i) {
      const OracleRange& range = ranges_[i];
      if (i == left_out || range.kind == OracleKind::kUnreadable) continue;
      Mapping mapping;
      mapping.range = range.range;
      metadata.mappings.push_back({.mapping = mapping, .saved = range.range});
      if (range.kind == OracleKind::kZero) {
        EXPECT_TRUE((*sink)->Zero(range.range));
      } else {
        const auto bytes =
            std::as_bytes(std::span(pages_)).subspan(range.offset, range.range.size().count);
        EXPECT_TRUE((*sink)->Write(range.range.begin, bytes, PageSource::kScanned));
      }
    }
    const auto finished = (*sink)->Finish(metadata);
    EXPECT_TRUE(finished) << finished.error().message;
    auto image = ImageReader::Open(path);
    EXPECT_TRUE(image) << image.error().message;
    return image ? *std::move(image) : nullptr;
  }

  size_t RangeOf(TargetAddress address) const {
    for (size_t i = 0; i < ranges_.size(); ++i) {
      if (ranges_[i].range.Contains(address)) return i;
    }
    return SIZE_MAX;
  }

  ScriptedTarget target_{2};
  TempDir directory_;
  std::string copy_;
  std::vector<OracleRange> ranges_;
  std::string pages_;
};

TEST_F(OracleCheckTest, CopyHoldsThePatternOfTheTarget) {
  const size_t i = RangeOf(target_.anonymous().begin);
  ASSERT_NE(i, SIZE_MAX);
  ASSERT_EQ(ranges_[i].kind, OracleKind::kData);
  const uint64_t offset =
      ranges_[i].offset + (target_.anonymous().begin - ranges_[i].range.begin).count;
  for (uint64_t page = 0; page < target_.anonymous().pages().count; ++page) {
    alignas(8) std::byte bytes[4096];
    std::memcpy(bytes, pages_.data() + offset + page * 4096, 4096);
    EXPECT_EQ(evaluate::FindWrongWord(bytes, kTargetSeed, page, 1), std::nullopt);
  }
}

TEST_F(OracleCheckTest, HolesStayHoles) {
  const std::string before = StatusField(target_.pid(), "VmRSS");
  const std::string again = directory_ / "again";
  ASSERT_EQ(mkdir(again.c_str(), 0700), 0);
  ASSERT_TRUE(CopyMemory(target_.pid(), again));
  EXPECT_EQ(StatusField(target_.pid(), "VmRSS"), before);
}

TEST_F(OracleCheckTest, SameMemoryCompares) {
  const auto report = CompareWithOracle(copy_, *MakeImage());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->differences, std::vector<std::string>());
  EXPECT_GT(report->equal.count, 2 * target_.anonymous().pages().count);
}

TEST_F(OracleCheckTest, OneWrongByteIsFoundAndNamed) {
  const size_t i = RangeOf(target_.shared().begin);
  ASSERT_NE(i, SIZE_MAX);
  pages_[ranges_[i].offset + 5] ^= 1;
  const auto report = CompareWithOracle(copy_, *MakeImage());
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->differences.size(), 1);
  EXPECT_NE(report->differences[0].find("memfd:scripted"), std::string::npos);
  EXPECT_NE(report->differences[0].find("byte 5"), std::string::npos);
}

TEST_F(OracleCheckTest, MappingThatTheImageLacksIsFound) {
  const auto report = CompareWithOracle(copy_, *MakeImage(RangeOf(target_.anonymous().begin)));
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_FALSE(report->differences.empty());
  EXPECT_NE(report->differences[0].find("not in the image"), std::string::npos);
}

TEST_F(OracleCheckTest, MappingThatTheTargetLackedIsFound) {
  const auto image = MakeImage();
  auto fewer = ranges_;
  fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(RangeOf(target_.anonymous().begin)));
  ASSERT_TRUE(WriteOracleRanges(copy_, fewer));
  const auto report = CompareWithOracle(copy_, *image);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_FALSE(report->differences.empty());
  EXPECT_NE(report->differences[0].find("was not in the target"), std::string::npos);
}

TEST_F(OracleCheckTest, DataWhereTheTargetHadAHoleIsFound) {
  size_t i = 0;
  while (i < ranges_.size() && ranges_[i].kind != OracleKind::kZero) ++i;
  ASSERT_LT(i, ranges_.size());
  const auto original = ranges_;
  ranges_[i].kind = OracleKind::kData;
  ranges_[i].offset = pages_.size();
  pages_.append(ranges_[i].range.size().count, 'x');
  const auto report = CompareWithOracle(copy_, *MakeImage());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->differences.empty());
}

}  // namespace
}  // namespace stillframe::test
