// Images whose checksums are all right and whose contents are not: what a reader would believe if
// it believed anything.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>

#include "image_samples.h"
#include "stillframe/image_reader.h"

namespace {
std::atomic<size_t> largest_allocation = 0;
}  // namespace

// Sees what an image makes its reader allocate. Not inlined: g++ would then see a free of what new
// returned, and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  size_t seen = largest_allocation.load();
  while (size > seen && !largest_allocation.compare_exchange_weak(seen, size)) {
  }
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace stillframe {
namespace {

constexpr size_t kMuch = 1 << 20;

// Opens and verifies; the message of what was found, "" for nothing.
std::string Complaint(const ByteVector& image) {
  const MemoryFile file(image);
  largest_allocation = 0;
  const auto reader = ImageReader::Open(file.path());
  EXPECT_LT(largest_allocation.load(), kMuch);
  if (reader) {
    const auto verified = (*reader)->Verify();
    return verified ? "" : verified.error().message;
  }
  EXPECT_EQ(reader.error().code, ErrorCode::kDamaged);
  return reader.error().message;
}

void ExpectComplaint(const ByteVector& image, const std::string& what) {
  const std::string complaint = Complaint(image);
  EXPECT_NE(complaint.find(what), std::string::npos) << complaint << "\nnot: " << what;
}

// The small image with its index changed. Entries: 0 data, 1 zero, 2 zero, 3 lost.
ByteVector WithIndex(const std::function<void(std::vector<WireIndexEntry>&)>& change) {
  const ByteVector image = SmallImage();
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

// The small image with one section changed.
ByteVector WithSection(SectionType type, const std::function<void(ByteVector&)>& change) {
  const ByteVector image = SmallImage();
  std::vector<RawSection> sections = SectionsOf(image);
  for (RawSection& section : sections) {
    if (section.type == static_cast<uint32_t>(type)) change(section.bytes);
  }
  return WithSections(image, sections);
}

ByteVector WithTrailer(const std::function<void(WireTrailer&)>& change) {
  ByteVector image = SmallImage();
  WireTrailer trailer = TrailerOf(image);
  change(trailer);
  StoreAt(image, image.size() - sizeof(trailer), trailer);
  RepairChecksums(image, false);
  return image;
}

TEST(ImageIndex, AnUnchangedIndexIsAccepted) {
  EXPECT_EQ(Complaint(WithIndex([](auto&) {})), "");
}

TEST(ImageIndex, BlocksOutsideTheDataAreRefused) {
  for (const uint64_t offset : {uint64_t{0}, uint64_t{4097}, uint64_t{8192}, uint64_t{1} << 40,
                                UINT64_MAX, UINT64_MAX - 4095}) {
    ExpectComplaint(WithEntry(0, [offset](auto& entry) { entry.file_offset = offset; }),
                    "points to a block that can't be");
  }
}

TEST(ImageIndex, BlocksOfAnImpossibleShapeAreRefused) {
  const std::string kWhat = "points to a block that can't be";
  ExpectComplaint(WithEntry(0, [](auto& e) { e.stored_bytes = 4095; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.stored_bytes = UINT64_MAX; }), kWhat);
  ExpectComplaint(WithEntry(0,
                            [](auto& e) {
                              e.pages = 65;
                              e.stored_bytes = 65 * 4096;
                            }),
                  kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.encoding = 1; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.source = 0; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.source = 4; }), kWhat);
  ExpectComplaint(WithEntry(0, [](auto& e) { e.reason = 1; }), kWhat);
  ExpectComplaint(WithEntry(1, [](auto& e) { e.file_offset = 4096; }), "that it can't have");
  ExpectComplaint(WithEntry(1, [](auto& e) { e.checksum = 1; }), "that it can't have");
}

TEST(ImageIndex, RangesThatAreNoneAreRefused) {
  const std::string kWhat = "is not a range of pages";
  ExpectComplaint(WithEntry(1, [](auto& e) { e.address += 1; }), kWhat);
  ExpectComplaint(WithEntry(1, [](auto& e) { e.pages = 0; }), kWhat);
  ExpectComplaint(WithEntry(1, [](auto& e) { e.pages = UINT64_MAX; }), kWhat);
  ExpectComplaint(WithEntry(3, [](auto& e) { e.pages = uint64_t{1} << 52; }), kWhat);
}

TEST(ImageIndex, UnknownKindsAndReasonsAreRefused) {
  ExpectComplaint(WithEntry(1, [](auto& e) { e.kind = 0; }), "of no known kind");
  ExpectComplaint(WithEntry(1, [](auto& e) { e.kind = 4; }), "of no known kind");
  ExpectComplaint(WithEntry(1, [](auto& e) { e.reason = 1; }), "of no known kind");
  ExpectComplaint(WithEntry(3, [](auto& e) { e.reason = 1; }), "no such reason");
  ExpectComplaint(WithEntry(3, [](auto& e) { e.first_page = 1; }), "reserved");
  ExpectComplaint(WithEntry(0, [](auto& e) { e.block_pages = 1; }), "reserved");
}

TEST(ImageIndex, OverlapAndDisorderAreRefused) {
  const std::string kWhat = "overlaps the one before it, or is out of order";
  ExpectComplaint(WithIndex([](auto& e) { std::swap(e[1], e[2]); }), kWhat);
  ExpectComplaint(WithIndex([](auto& e) { e.insert(e.begin() + 1, e[1]); }), kWhat);
  ExpectComplaint(WithEntry(1, [](auto& e) { e.address -= 4096; }), kWhat);
}

TEST(ImageIndex, PagesMissingOrOfNoMappingAreRefused) {
  ExpectComplaint(WithIndex([](auto& e) { e.pop_back(); }), "page at 0x23000 is missing");
  ExpectComplaint(WithEntry(1, [](auto& e) { e.pages = 1; }), "page at 0x12000 is missing");
  ExpectComplaint(WithEntry(1, [](auto& e) { e.pages = 3; }),
                  "0x13000 belongs to no saved mapping");
  ExpectComplaint(WithEntry(3, [](auto& e) { e.pages = 2; }),
                  "0x24000 belongs to no saved mapping");
}

TEST(ImageIndex, BlocksMustFillTheDataExactly) {
  // The first page is now zero: nobody uses its block.
  ExpectComplaint(WithEntry(0,
                            [](auto& e) {
                              WireIndexEntry zero{};
                              zero.address = e.address;
                              zero.pages = e.pages;
                              zero.kind = static_cast<uint8_t>(WireKind::kZero);
                              e = zero;
                            }),
                  "no page uses the bytes at offset 4096");
  // Two pages share one block.
  ExpectComplaint(WithIndex([](auto& e) {
                    e[1].address += 4096;
                    e[1].pages = 1;
                    e.insert(e.begin() + 1, e[0]);
                    e[1].address += 4096;
                  }),
                  "two blocks overlap");
}

// The larger image: entry 0 has 64 pages, entry 1 the 6 behind them, in the file as in memory.
TEST(ImageIndex, ABlockOfMoreThanSixtyFourPagesIsRefused) {
  ByteVector image = LargerImage();
  const std::string kGood = Complaint(image);
  ASSERT_EQ(kGood, "");
  std::vector<RawSection> sections = SectionsOf(image);
  ByteVector& index = sections.back().bytes;
  auto entry = Load<WireIndexEntry>(index, 0);
  entry.pages += 6;
  entry.stored_bytes += 6 * kPageSize.count;
  StoreAt(index, sizeof(entry), entry);
  index.erase(index.begin(), index.begin() + sizeof(entry));
  image = WithSections(image, sections);
  RepairChecksums(image, /*blocks=*/true);
  ExpectComplaint(image, "points to a block that can't be");
}

TEST(ImageIndex, AGapBetweenBlocksIsRefused) {
  const ByteVector image = LargerImage();
  std::vector<RawSection> sections = SectionsOf(image);
  ByteVector& index = sections.back().bytes;
  const auto block = Load<WireIndexEntry>(index, sizeof(WireIndexEntry));
  WireIndexEntry zero{};
  zero.address = block.address;
  zero.pages = block.pages;
  zero.kind = static_cast<uint8_t>(WireKind::kZero);
  StoreAt(index, sizeof(WireIndexEntry), zero);
  ExpectComplaint(WithSections(image, sections),
                  "no page uses the bytes at offset " + std::to_string(block.file_offset));
}

TEST(ImageIndex, AnIndexOfHalfAnEntryIsRefused) {
  ExpectComplaint(WithSection(SectionType::kIndex, [](auto& bytes) { bytes.pop_back(); }),
                  "not a whole number of entries");
}

TEST(ImageSections, CountsAndLengthsBeyondTheSectionAreRefusedWithoutAllocatingThem) {
  for (const SectionType type : {SectionType::kThreads, SectionType::kMappings,
                                 SectionType::kSkipped, SectionType::kReasons}) {
    ExpectComplaint(WithSection(type, [](auto& b) { StoreAt(b, 0, uint32_t{0xffffffff}); }),
                    "can't be decoded");
    ExpectComplaint(WithSection(type, [](auto& b) { StoreAt(b, 4, uint32_t{1}); }),
                    "can't be decoded");
    ExpectComplaint(WithSection(type, [](auto& b) { b.push_back(std::byte{0}); }),
                    "can't be decoded");
    ExpectComplaint(WithSection(type, [](auto& b) { b.clear(); }), "can't be decoded");
  }
  for (const size_t at : {size_t{24}, size_t{28}, size_t{32}, size_t{36}, size_t{40}, size_t{44}}) {
    ExpectComplaint(
        WithSection(SectionType::kProcess, [at](auto& b) { StoreAt(b, at, uint32_t{0xfffffff0}); }),
        "can't be decoded");
  }
}

TEST(ImageSections, MappingsThatCanNotBeAreRefused) {
  // The second mapping: behind the count, the first mapping, and its name "[heap]".
  const size_t second = 8 + 96 + 6;
  const auto with = [second](size_t field, uint64_t value) {
    return WithSection(SectionType::kMappings, [=](auto& b) { StoreAt(b, second + field, value); });
  };
  ExpectComplaint(with(0, 0x12000), "overlaps the one before it");
  ExpectComplaint(with(0, 0x20001), "no range of whole pages");
  ExpectComplaint(with(8, 0x20000), "no range of whole pages");
  ExpectComplaint(with(16, 0x1f000), "lies outside it");
  ExpectComplaint(with(24, 0x25000), "lies outside it");
  ExpectComplaint(with(24, 0x23000), "0x23000 belongs to no saved mapping");
  ExpectComplaint(with(88, uint64_t{1} << 10 | uint64_t{6} << 32), "can't be decoded");
}

TEST(ImageSections, AnUnknownOptionalSectionIsPassedOver) {
  const ByteVector image = SmallImage();
  std::vector<RawSection> sections = SectionsOf(image);
  sections.insert(sections.begin(),
                  {.type = 4711, .flags = kSectionOptional, .bytes = ByteVector(100)});
  EXPECT_EQ(Complaint(WithSections(image, sections)), "");
  sections[0].flags = 0;
  ExpectComplaint(WithSections(image, sections),
                  "section of type 4711 that this program does not know");
  sections[0].flags = kSectionOptional | 2;
  ExpectComplaint(WithSections(image, sections), "does not know");
}

TEST(ImageSections, EachKnownSectionIsThereOnce) {
  const ByteVector image = SmallImage();
  for (uint32_t type = 1; type <= kLastRequiredType; ++type) {
    std::vector<RawSection> sections = SectionsOf(image);
    const auto found = std::find_if(sections.begin(), sections.end(),
                                    [type](const auto& s) { return s.type == type; });
    sections.push_back(*found);
    ExpectComplaint(WithSections(image, sections), "more than one section");
    sections.pop_back();
    std::erase_if(sections, [type](const auto& s) { return s.type == type; });
    ExpectComplaint(WithSections(image, sections), "it has no section");
  }
}

TEST(ImageSections, TablesThatPointElsewhereAreRefused) {
  for (const uint64_t value : {uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 31}) {
    ExpectComplaint(WithTrailer([value](auto& t) { t.table_offset = value; }), "section table");
    ExpectComplaint(WithTrailer([value](auto& t) { t.table_length = value; }), "section table");
    ExpectComplaint(WithTrailer([value](auto& t) { t.file_size = value; }), "in place of");
  }
  ExpectComplaint(WithTrailer([](auto& t) { t.table_offset -= 32; }), "section table");
  ExpectComplaint(WithTrailer([](auto& t) { t.table_length -= 32; }), "section table");
  ExpectComplaint(WithTrailer([](auto& t) {
                    t.table_offset += t.table_length;
                    t.table_length = 0;
                  }),
                  "it has no section");
}

TEST(ImageSections, GapsOverlapsAndLengthsOutsideAreRefused) {
  const size_t count = TableOf(SmallImage()).size();
  for (size_t i = 0; i < count; ++i) {
    for (const uint64_t delta : {uint64_t{1}, UINT64_MAX, uint64_t{1} << 62}) {
      ByteVector image = SmallImage();
      const uint64_t at = TrailerOf(image).table_offset + i * sizeof(WireSection);
      auto section = Load<WireSection>(image, at);
      section.length += delta;
      StoreAt(image, at, section);
      RepairChecksums(image, false);
      EXPECT_NE(Complaint(image), "") << i;
      section.length -= delta;
      section.offset += delta;
      StoreAt(image, at, section);
      RepairChecksums(image, false);
      EXPECT_NE(Complaint(image), "") << i;
    }
  }
}

// A sparse file costs its author nothing, however long it is.
TEST(ImageSections, AVastSparseIndexIsRefusedWithoutAllocatingIt) {
  ByteVector image = SmallImage();
  const uint64_t hole = uint64_t{48} << 20;
  const auto trailer = TrailerOf(image);
  std::vector<RawSection> sections = SectionsOf(image);
  sections.back().bytes.resize(sections.back().bytes.size() + hole);
  ASSERT_EQ(sections.back().type, static_cast<uint32_t>(SectionType::kIndex));
  ASSERT_GT(trailer.file_size, 0u);
  ExpectComplaint(WithSections(image, sections), "entry 4 of its index is not a range of pages");
}

}  // namespace
}  // namespace stillframe
