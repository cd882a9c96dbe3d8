// Images of version 2 without a parent: encoded blocks, and blocks of which only some pages hold.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "hand_image.h"
#include "image_samples.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kBase = 0x10000;

std::unique_ptr<ImageReader> OpenGood(const MemoryFile& file) {
  auto reader = ImageReader::Open(file.path());
  EXPECT_TRUE(reader) << reader.error().message;
  return reader ? std::move(*reader) : nullptr;
}

// The message of what opening or verifying ends with, "" for nothing.
std::string Complaint(const ByteVector& image) {
  const MemoryFile file(image);
  const auto reader = ImageReader::Open(file.path());
  if (!reader) return reader.error().message;
  const auto verified = (*reader)->Verify();
  return verified ? "" : verified.error().message;
}

void ExpectComplaint(const ByteVector& image, const std::string& what) {
  const std::string complaint = Complaint(image);
  EXPECT_NE(complaint.find(what), std::string::npos) << complaint << "\nnot: " << what;
}

ByteVector PagesOf(const ByteVector& bytes, uint64_t first, uint64_t count) {
  const auto at = bytes.begin() + static_cast<ptrdiff_t>(first * kPage);
  return {at, at + static_cast<ptrdiff_t>(count * kPage)};
}

void ExpectPages(const ImageReader& reader, uint64_t address, const ByteVector& pages) {
  ByteVector whole(pages.size());
  ASSERT_TRUE(reader.Read({address}, whole));
  EXPECT_EQ(whole, pages);
  for (uint64_t i = 0; i < pages.size() / kPage; ++i) {
    ByteVector page(kPage);
    ASSERT_TRUE(reader.ReadPage({address + i * kPage}, page));
    EXPECT_EQ(page, PagesOf(pages, i, 1)) << i;
  }
}

// The image with an entry of its index changed, and all that depends on it.
ByteVector WithIndex(const std::function<void(std::vector<WireIndexEntry>&)>& change) {
  HandImage hand = PackedImage();
  const ByteVector image = hand.Build();
  std::vector<RawSection> sections = SectionsOf(image);
  for (RawSection& section : sections) {
    if (section.type != static_cast<uint32_t>(SectionType::kIndex)) continue;
    std::vector<WireIndexEntry> entries(section.bytes.size() / sizeof(WireIndexEntry));
    std::memcpy(entries.data(), section.bytes.data(), section.bytes.size());
    change(entries);
    const auto bytes = std::as_bytes(std::span(entries));
    section.bytes.assign(bytes.begin(), bytes.end());
  }
  return WithSections(image, sections);
}

ByteVector WithEntry(size_t number, const std::function<void(WireIndexEntry&)>& change) {
  return WithIndex([&](auto& entries) { change(entries.at(number)); });
}

TEST(ImagePacked, EveryPageReadsBackFromWhereverItStands) {
  const MemoryFile file(PackedImage().Build());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->format_version(), 2u);
  ASSERT_TRUE(reader->Verify()) << reader->Verify().error().message;
  ExpectPages(*reader, kBase, PatternPages(1, 3));
  ExpectPages(*reader, kBase + 3 * kPage, PagesOf(PatternPages(2, 8), 1, 2));
  ExpectPages(*reader, 0x40000, PagesOf(PatternPages(2, 8), 5, 3));
  ExpectPages(*reader, kBase + 5 * kPage, PagesOf(PatternPages(3, 4), 3, 1));
  ExpectPages(*reader, 0x40000 + 3 * kPage, PagesOf(PatternPages(3, 4), 0, 1));
  ExpectPages(*reader, kBase + 6 * kPage, ByteVector(2 * kPage));
  EXPECT_EQ(reader->counters().scanned.count, 8u);
  EXPECT_EQ(reader->counters().faulted.count, 2u);
  EXPECT_EQ(reader->counters().lost.count, 1u);
  ASSERT_EQ(reader->chain().size(), 1u);
  EXPECT_EQ(reader->chain()[0].pages.count, 10u);
  EXPECT_TRUE(reader->chain()[0].has_hashes);
}

TEST(ImagePacked, HashesAreThoseOfThePages) {
  const MemoryFile file(PackedImage().Build());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  HandImage other(2);
  other.AddData(kBase, PagesOf(PatternPages(2, 8), 5, 1));
  other.KeepHashes();
  const MemoryFile other_file(other.Build());
  const auto second = OpenGood(other_file);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(reader->HashOf({0x40000}), second->HashOf({kBase}));
  EXPECT_NE(reader->HashOf({0x40000 + kPage}), second->HashOf({kBase}));
  EXPECT_EQ(reader->HashOf({kBase + 6 * kPage}), std::nullopt);  // zero
  EXPECT_EQ(reader->HashOf({kBase + 8 * kPage}), std::nullopt);  // lost
  EXPECT_EQ(reader->HashOf({0x5000}), std::nullopt);
}

TEST(ImagePacked, EverySingleFlippedBitIsFound) {
  const ByteVector image = PackedImage().Build();
  MemoryFile file(image);
  const size_t sections = TableOf(image).front().offset;
  for (size_t bit = 0; bit < image.size() * 8; bit += bit / 8 < sections ? 61 : 3) {
    const std::byte bad = image[bit / 8] ^ static_cast<std::byte>(1u << (bit % 8));
    file.Write(bit / 8, {&bad, 1});
    const auto reader = ImageReader::Open(file.path());
    const bool found = !reader || !(*reader)->Verify();
    ASSERT_TRUE(found) << "byte " << bit / 8;
    file.Write(bit / 8, {&image[bit / 8], 1});
  }
}

TEST(ImagePacked, BlocksThatCanNotBeAreRefused) {
  const std::string kWhat = "points to a block that can't be";
  ASSERT_EQ(Complaint(WithIndex([](auto&) {})), "");
  ExpectComplaint(WithEntry(0, [](auto& e) { e.encoding = 3; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.encoding = 0; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.block_pages = 0; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.block_pages = 65; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.block_pages = 2; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.first_page = 1; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.first_page = 65535; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.stored_bytes = 0; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.stored_bytes = 3 * 4096; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.file_offset = UINT64_MAX; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.file_offset -= 1; }), kWhat);
  ExpectComplaint(WithEntry(3, [](auto& e) { e.first_page = 1; }), "that it can't have");
  ExpectComplaint(WithEntry(3, [](auto& e) { e.block_pages = 1; }), "that it can't have");
}

TEST(ImagePacked, EntriesOfOneBlockMustAgreeAndNotOverlap) {
  // Entries 1 and 5 are of one block.
  const std::string kAgree = "do not agree about the block";
  ExpectComplaint(WithEntry(5, [](auto& e) { e.checksum ^= 1; }), kAgree);
  ExpectComplaint(WithEntry(5, [](auto& e) { e.stored_bytes -= 1; }), kAgree);
  ExpectComplaint(WithEntry(5, [](auto& e) { e.block_pages += 1; }), kAgree);
  ExpectComplaint(WithEntry(5, [](auto& e) { e.encoding = 1; }), kAgree);
  ExpectComplaint(WithEntry(5, [](auto& e) { e.first_page = 2; }), "two pages stand in one place");
  EXPECT_EQ(Complaint(WithEntry(5, [](auto& e) { e.source = 3; })), "");
  // Both name pages that exist, but the hashes tell that they are others.
  ExpectComplaint(WithEntry(5, [](auto& e) { e.first_page = 4; }), "hash of the page at 0x40000");
}

TEST(ImagePacked, BlocksMustFillTheDataExactly) {
  ExpectComplaint(WithIndex([](auto& e) {
                    e[0].file_offset += 1;
                    e[0].stored_bytes -= 1;
                  }),
                  "no page uses the bytes at offset 4096");
  ExpectComplaint(WithEntry(1, [](auto& e) { e.file_offset -= 1; }), "two blocks overlap");
}

TEST(ImagePacked, ABlockThatDoesNotDecodeToItsLengthIsFound) {
  const ByteVector image = WithIndex([](auto& entries) {
    // Its block holds three pages.
    entries[0].block_pages = 4;
  });
  const MemoryFile file(image);
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  ByteVector page(kPage);
  for (const auto& result : {reader->Verify(), reader->ReadPage({kBase}, page)}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kDamaged);
    EXPECT_NE(result.error().message.find("the encoding of the 3 pages at 0x10000"),
              std::string::npos)
        << result.error().message;
  }
}

TEST(ImagePacked, PagesInAParentNeedOne) {
  HandImage image(1);
  image.Add(WireKind::kInParent, kBase, 1);
  ExpectComplaint(image.Build(), "the image names none");
}

TEST(ImagePacked, VersionOneHasNeitherParentsNorEncodings) {
  HandImage parent(1, kPlainVersion);
  parent.AddData(kBase, PatternPages(1, 1));
  parent.SetParent({}, "x");
  ExpectComplaint(parent.Build(), "no section PARENT");
  HandImage encoded(1, kPlainVersion);
  encoded.AddData(kBase, PatternPages(1, 1), WireEncoding::kLz4);
  ExpectComplaint(encoded.Build(), "points to a block that can't be");
  HandImage plain(1, kPlainVersion);
  plain.AddData(kBase, PatternPages(1, 1));
  plain.KeepHashes();
  EXPECT_EQ(Complaint(plain.Build()), "");
}

TEST(ImagePacked, AHashForEachPageAndNoOther) {
  const ByteVector image = PackedImage().Build();
  for (const bool more : {false, true}) {
    std::vector<RawSection> sections = SectionsOf(image);
    for (RawSection& section : sections) {
      if (section.type != static_cast<uint32_t>(SectionType::kHashes)) continue;
      section.bytes.resize(more ? section.bytes.size() + 16 : section.bytes.size() - 16);
    }
    ExpectComplaint(WithSections(image, sections), "one hash for each of its pages");
  }
}

TEST(ImagePacked, SectionsOfVersionTwoThatCanNotBeAreRefused) {
  HandImage image(1);
  image.AddData(kBase, PatternPages(1, 1));
  image.SetParent({}, std::string(4097, 'x'));
  ExpectComplaint(image.Build(), "section of type 10 can't be decoded");
  image.SetParent({}, "");
  ExpectComplaint(image.Build(), "section of type 10 can't be decoded");
  image.SetParent({}, std::string("a\0b", 3));
  ExpectComplaint(image.Build(), "section of type 10 can't be decoded");
  HandImage many(1);
  for (int i = 0; i < 4097; ++i) many.AddStandsFor({});
  ExpectComplaint(many.Build(), "section of type 12 can't be decoded");
}

}  // namespace
}  // namespace stillframe
