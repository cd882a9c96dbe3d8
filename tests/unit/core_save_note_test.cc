// Our own note, byte by byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "peer/core/save_note.h"

namespace stillframe {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

template <class Struct>
Struct As(std::span<const std::byte> bytes) {
  Struct value;
  EXPECT_GE(bytes.size(), sizeof(value));
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof(value)));
  return value;
}

class SaveNoteView {
 public:
  explicit SaveNoteView(std::vector<std::byte> note)
      : note_(std::move(note)), header_(As<SaveNoteHeader>(note_)) {}
  const SaveNoteHeader& header() const { return header_; }
  SaveNoteRange Range(size_t i) const {
    return As<SaveNoteRange>(
        std::span(note_).subspan(sizeof(SaveNoteHeader) + i * sizeof(SaveNoteRange)));
  }
  std::string Reasons() const {
    const size_t at = sizeof(SaveNoteHeader) + header_.range_count * sizeof(SaveNoteRange);
    return {reinterpret_cast<const char*>(note_.data()) + at, note_.size() - at};
  }

 private:
  std::vector<std::byte> note_;
  SaveNoteHeader header_;
};

SaveNoteView SaveNoteOf(const ImageMetadata& metadata, const std::vector<RangeReason>& lost) {
  return SaveNoteView(EncodeSaveNote(metadata, lost));
}

TEST(SaveNote, ItTellsTheInstantAndWhatIsMissingByAddress) {
  ImageMetadata metadata;
  metadata.instant_unix_ns = 1'700'000'000'000'000'001;
  metadata.pause_ns = 250'000;
  metadata.skipped = {{{{0x7000}, {0x8000}}, "filter"}, {{{0x2000}, {0x3000}}, "unreadable"}};
  const SaveNoteView note = SaveNoteOf(metadata, {{{{0x5000}, {0x6000}}, "discarded"},
                                                  {{{0x1000}, {0x2000}}, "unmapped"},
                                                  {{{0x4000}, {0x5000}}, "discarded"}});
  EXPECT_EQ(note.header().version, 1u);
  EXPECT_EQ(note.header().instant_unix_ns, 1'700'000'000'000'000'001u);
  EXPECT_EQ(note.header().pause_ns, 250'000u);
  EXPECT_EQ(note.header().lost_bytes, 0x3000u);
  EXPECT_EQ(note.header().unreadable_bytes, 0x1000u);
  EXPECT_EQ(note.header().range_total, 3u);
  ASSERT_EQ(note.header().range_count, 3u);
  const SaveNoteRange expected[] = {
      {0x1000, 0x2000, 1, 0}, {0x2000, 0x3000, 2, 1}, {0x4000, 0x6000, 1, 2}};
  for (size_t i = 0; i < 3; ++i) {
    const SaveNoteRange range = note.Range(i);
    EXPECT_EQ(std::memcmp(&range, &expected[i], sizeof(range)), 0) << i;
  }
  EXPECT_EQ(note.Reasons(), std::string("unmapped\0unreadable\0discarded\0", 30));
}

TEST(SaveNote, NothingMissingIsAHeaderAlone) {
  const SaveNoteView note = SaveNoteOf(ImageMetadata(), {});
  EXPECT_EQ(note.header().range_count, 0u);
  EXPECT_EQ(note.header().reason_count, 0u);
  EXPECT_EQ(note.Reasons(), "");
}

TEST(SaveNote, OfTooManyRangesTheFirstAreListedAndAllAreCounted) {
  std::vector<RangeReason> lost;
  for (uint64_t i = kSaveNoteRanges + 10; i > 0; --i) {
    lost.push_back({{{i * 0x2000}, {i * 0x2000 + 0x1000}}, "unmarked"});
  }
  const SaveNoteView note = SaveNoteOf(ImageMetadata(), lost);
  EXPECT_EQ(note.header().range_total, kSaveNoteRanges + 10);
  ASSERT_EQ(note.header().range_count, kSaveNoteRanges);
  EXPECT_EQ(note.header().lost_bytes, (kSaveNoteRanges + 10) * 0x1000);
  EXPECT_EQ(note.Range(0).begin, 0x2000u);
  EXPECT_EQ(note.Range(kSaveNoteRanges - 1).begin, kSaveNoteRanges * 0x2000);
  EXPECT_EQ(note.Reasons(), std::string("unmarked\0", 9));
}

TEST(SaveNote, ReasonsAndRangesThatMayBeAnything) {
  const SaveNoteView note =
      SaveNoteOf(ImageMetadata(), {{{{0}, {kMax - 0xfff}}, std::string("a\0b", 3)},
                                   {{{0x1000}, {kMax - 0xfff}}, std::string(100'000, 'r')},
                                   {{{0x3000}, {0x2000}}, "backwards"}});
  EXPECT_EQ(note.header().range_count, 2u);
  EXPECT_EQ(note.header().lost_bytes, kMax);
  EXPECT_EQ(note.Reasons(), std::string("a\0", 2) + std::string(255, 'r') + '\0');
}

}  // namespace
}  // namespace stillframe
