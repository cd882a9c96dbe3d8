// Pages that are told of more than once: what was told last holds, and the file still accounts for
// every byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "image/checksum.h"
#include "image/index_builder.h"
#include "image/page_hash.h"
#include "image_samples.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

ByteVector ReadPages(const ImageReader& reader, uint64_t address, uint64_t pages) {
  ByteVector bytes(pages * kPage);
  const auto read = reader.Read({address}, bytes);
  EXPECT_TRUE(read) << read.error().message;
  return bytes;
}

TEST(ImageRepeats, WhatWasToldLastHolds) {
  const MemoryFile file(RewrittenImage());
  const auto reader = ImageReader::Open(file.path());
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_TRUE((*reader)->Verify());
  const ByteVector first = PatternPages(1, 4);
  EXPECT_TRUE(std::ranges::equal(ReadPages(**reader, 0x10000, 1), std::span(first).first(kPage)));
  EXPECT_EQ(ReadPages(**reader, 0x11000, 1), PatternPages(4, 1));
  EXPECT_TRUE(std::ranges::equal(ReadPages(**reader, 0x12000, 1),
                                 std::span(first).subspan(2 * kPage, kPage)));
  EXPECT_EQ(ReadPages(**reader, 0x13000, 1), ByteVector(kPage));
  EXPECT_EQ(ReadPages(**reader, 0x14000, 2), PatternPages(5, 2));
  std::byte byte;
  EXPECT_FALSE((*reader)->Read({0x30000}, {&byte, 1}));  // its mapping went
}

TEST(ImageRepeats, WhatHoldsNoMoreIsLetGoOf) {
  constexpr uint64_t kPages = 100;
  constexpr size_t kTold = 3 * IndexBuilder::kFewEntries;
  IndexBuilder index(kPlainVersion);
  index.AllowRepeats();
  const ByteVector old = PatternPages(1, 1);
  const ByteVector last = PatternPages(2, 1);
  uint64_t offset = kHeaderSize;
  for (size_t i = 0; i < kTold; ++i, offset += kPage) {
    const ByteVector& page = i + kPages < kTold ? old : last;
    const TargetAddress address{0x10000 + i % kPages * kPage};
    const PageHash hash = HashPage(page);
    index.AddData(i, {address, address + kPageSize}, PageSource::kScanned,
                  {.file_offset = offset, .stored_bytes = kPage, .checksum = Checksum(page)},
                  {&hash, 1});
    ASSERT_LE(index.held(), IndexBuilder::kFewEntries);
  }
  const std::vector<SavedMapping> mappings = {WholeMapping(0x10000, kPages, "")};
  ASSERT_TRUE(index.Seal(mappings));
  ASSERT_EQ(index.entries().size(), kPages);
  for (const WireIndexEntry& entry : index.entries()) EXPECT_EQ(entry.checksum, Checksum(last));
  // Every byte of the file is accounted for.
  ASSERT_EQ(index.superseded().size(), kTold - kPages);
  for (size_t i = 0; i < index.superseded().size(); ++i) {
    ASSERT_EQ(index.superseded()[i].file_offset, kHeaderSize + i * kPage);
  }
}

TEST(ImageRepeats, EachPageIsCountedOnceInTheEnd) {
  const MemoryFile file(RewrittenImage());
  const auto reader = ImageReader::Open(file.path());
  ASSERT_TRUE(reader) << reader.error().message;
  const SinkCounters counters = (*reader)->counters();
  EXPECT_EQ(counters.zero.count, 1u);
  EXPECT_EQ(counters.scanned.count, 3u);
  EXPECT_EQ(counters.paused.count, 2u);
  EXPECT_EQ(counters.lost.count, 0u);

  ByteVector image;
  auto sink = *ImageWriter::Create(std::make_unique<MemoryStore>(&image), {});
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x10000, 2, "")};
  ASSERT_TRUE(sink->AllowRepeats());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(sink->Write({0x10000}, PatternPages(1, 2), PageSource::kScanned));
  }
  EXPECT_EQ(sink->counters().scanned.count, 6u);
  ASSERT_TRUE(sink->Finish(metadata));
  EXPECT_EQ(sink->counters().scanned.count, 2u);
  EXPECT_EQ(sink->counters().written.count, image.size());
}

TEST(ImageRepeats, APageThatWasNeverToldOfIsStillMissing) {
  ByteVector image;
  auto sink = *ImageWriter::Create(std::make_unique<MemoryStore>(&image), {});
  ASSERT_TRUE(sink->AllowRepeats());
  ASSERT_TRUE(sink->Write({0x10000}, PatternPages(1, 1), PageSource::kScanned));
  ASSERT_TRUE(sink->Write({0x10000}, PatternPages(2, 1), PageSource::kScanned));
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x10000, 2, "")};
  const auto finished = sink->Finish(metadata);
  ASSERT_FALSE(finished);
  EXPECT_NE(finished.error().message.find("0x11000 is missing"), std::string::npos);
}

TEST(ImageRepeats, TheyHaveToBeAllowedBeforeTheFirstPage) {
  ByteVector image;
  auto sink = *ImageWriter::Create(std::make_unique<MemoryStore>(&image), {});
  ASSERT_TRUE(sink->Zero({{0x10000}, {0x11000}}));
  EXPECT_FALSE(sink->AllowRepeats());
}

TEST(ImageRepeats, WithoutOneTheFileIsAsItAlwaysWas) {
  const auto fill = [](PageSink& sink) {
    ASSERT_TRUE(sink.Write({0x10000}, PatternPages(1, 3), PageSource::kScanned));
    ASSERT_TRUE(sink.Zero({{0x20000}, {0x24000}}));
  };
  const ByteVector with = MakeImage(SmallMetadata(), [&](PageSink& sink) {
    ASSERT_TRUE(sink.AllowRepeats());
    fill(sink);
  });
  EXPECT_EQ(with, MakeImage(SmallMetadata(), fill));
}

TEST(ImageRepeats, AnyOrderOfTellingLeavesTheLast) {
  std::mt19937 random(7);
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x100000, 100, ""), WholeMapping(0x200000, 60, "")};
  for (int round = 0; round < 20; ++round) {
    ByteVector expected(0x300000);
    ByteVector image = MakeImage(metadata, [&](PageSink& sink) {
      ASSERT_TRUE(sink.AllowRepeats());
      ASSERT_TRUE(sink.Zero({{0x100000}, {0x164000}}));
      ASSERT_TRUE(sink.Zero({{0x200000}, {0x23c000}}));
      for (uint64_t i = 1; i < 60; ++i) {
        const uint64_t begin = (random() % 2 == 0 ? 0x100 : 0x200) + random() % 90;
        const uint64_t pages = 1 + random() % 90;
        ByteVector bytes = random() % 5 == 0 ? ByteVector(pages * kPage) : PatternPages(i, pages);
        ASSERT_TRUE(sink.Write({begin * kPage}, bytes, PageSource::kScanned));
        std::ranges::copy(bytes, expected.begin() + static_cast<ptrdiff_t>(begin * kPage));
      }
    });
    const MemoryFile file(image);
    const auto reader = ImageReader::Open(file.path());
    ASSERT_TRUE(reader) << reader.error().message;
    ASSERT_TRUE((*reader)->Verify());
    for (const SavedMapping& saved : metadata.mappings) {
      const ByteVector got =
          ReadPages(**reader, saved.saved.begin.value, saved.saved.pages().count);
      ASSERT_TRUE(std::ranges::equal(
          got, std::span(expected).subspan(saved.saved.begin.value, got.size())));
    }
  }
}

// Each is refused, whoever made its checksums right.
TEST(ImageRepeats, AListOfSupersededBlocksThatCantBeIsRefused) {
  const ByteVector good = RewrittenImage();
  const WireSection list = SectionOf(good, SectionType::kSuperseded);
  const size_t count = list.length / sizeof(WireSuperseded);
  ASSERT_EQ(count, 4u);  // two pages of the first block, one block, one of no mapping
  const auto refused = [&](auto change) {
    ByteVector image = good;
    auto record = Load<WireSuperseded>(image, list.offset + sizeof(WireSuperseded));
    change(record);
    StoreAt(image, list.offset + sizeof(WireSuperseded), record);
    RepairChecksums(image, /*blocks=*/false);
    const MemoryFile file(image);
    const auto reader = ImageReader::Open(file.path());
    return !reader && reader.error().code == ErrorCode::kDamaged;
  };
  EXPECT_TRUE(refused([](auto& record) { record.file_offset += kPage; }));
  EXPECT_TRUE(refused([](auto& record) { record.file_offset += 1; }));
  EXPECT_TRUE(refused([](auto& record) { record.file_offset = 0; }));
  EXPECT_TRUE(refused([](auto& record) { record.file_offset = UINT64_MAX - kPage + 1; }));
  EXPECT_TRUE(refused([](auto& record) { record.stored_bytes = 0; }));
  EXPECT_TRUE(refused([](auto& record) { record.stored_bytes += kPage; }));
  EXPECT_TRUE(refused([](auto& record) { record.stored_bytes = UINT64_MAX; }));
}

TEST(ImageRepeats, AnImageWhoseListIsMissingIsRefused) {
  const ByteVector good = RewrittenImage();
  std::vector<RawSection> sections = SectionsOf(good);
  std::erase_if(sections, [](const auto& section) {
    return section.type == static_cast<uint32_t>(SectionType::kSuperseded);
  });
  const MemoryFile file(WithSections(good, sections));
  const auto reader = ImageReader::Open(file.path());
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("no page uses the bytes"), std::string::npos);
}

TEST(ImageRepeats, ADamagedSupersededBlockIsFoundByVerify) {
  ByteVector image = RewrittenImage();
  const WireSection list = SectionOf(image, SectionType::kSuperseded);
  image[Load<WireSuperseded>(image, list.offset).file_offset + 5] ^= std::byte{1};
  const MemoryFile file(image);
  const auto reader = ImageReader::Open(file.path());
  ASSERT_TRUE(reader);
  const auto verified = (*reader)->Verify();
  ASSERT_FALSE(verified);
  EXPECT_NE(verified.error().message.find("superseded"), std::string::npos);
}

}  // namespace
}  // namespace stillframe
