// Where in a core's file memory stands, and what its program headers say of it.
#include "peer/core/core_layout.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "image_samples.h"
#include "peer/core/core_segments.h"
#include "peer/core/elf_headers.h"
#include "peer/core/page_states.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kContents = 0x2000;
using Mappings = std::vector<SavedMapping>;

SavedMapping LeftOut(uint64_t begin, uint64_t pages) {
  SavedMapping mapping = WholeMapping(begin, pages, "");
  mapping.saved.end = mapping.saved.begin;
  return mapping;
}

SavedMapping FirstPageOf(uint64_t begin, uint64_t pages) {
  SavedMapping mapping = WholeMapping(begin, pages, "/lib/x");
  mapping.saved.end = mapping.saved.begin + kPageSize;
  return mapping;
}

AddressRange Range(uint64_t begin, uint64_t end) { return {{begin}, {end}}; }

// That the saved part of each mapping stands in one piece, and no two overlap in the file.
void ExpectSettled(const CoreLayout& layout, const Mappings& mappings) {
  ASSERT_TRUE(layout.settled());
  EXPECT_TRUE(layout.Holds(mappings));
  std::vector<FilePlace> places;
  for (const SavedMapping& mapping : mappings) {
    if (mapping.saved.empty()) continue;
    const auto place = layout.Find(mapping.saved);
    ASSERT_TRUE(place) << mapping.saved.begin.value;
    EXPECT_EQ(place->addresses, mapping.saved);
    EXPECT_EQ(place->offset % kPage, 0u);
    places.push_back(*place);
  }
  std::ranges::sort(places, {}, &FilePlace::offset);
  uint64_t end = kContents;
  for (const FilePlace& place : places) {
    EXPECT_GE(place.offset, end);
    end = place.end();
  }
  EXPECT_EQ(layout.contents_end(), end);
}

TEST(CoreLayout, SettledAtOnceMemoryStandsByAddressWithoutGaps) {
  CoreLayout layout(kContents);
  const Mappings mappings{WholeMapping(0x10000, 2, ""), LeftOut(0x12000, 1),
                          FirstPageOf(0x20000, 5), WholeMapping(0x7f0000000000, 3, "")};
  ASSERT_TRUE(layout.Expect(mappings, Expectation::kSettled));
  const std::vector<FilePlace> expected{{Range(0x10000, 0x12000), 0x2000},
                                        {Range(0x20000, 0x21000), 0x4000},
                                        {Range(0x7f0000000000, 0x7f0000003000), 0x5000}};
  EXPECT_TRUE(std::ranges::equal(layout.places(), expected));
  EXPECT_EQ(layout.contents_end(), 0x8000u);
  EXPECT_TRUE(layout.former().empty());
  ExpectSettled(layout, mappings);
}

TEST(CoreLayout, OfNothingItIsEmpty) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.Expect({}, Expectation::kSettled));
  EXPECT_TRUE(layout.places().empty());
  EXPECT_EQ(layout.contents_end(), kContents);
  EXPECT_TRUE(layout.Holds({}));
}

TEST(CoreLayout, MemorySideBySideStandsInOnePiece) {
  CoreLayout layout(kContents);
  const Mappings mappings{WholeMapping(0x10000, 2, "a"), WholeMapping(0x12000, 2, "b")};
  ASSERT_TRUE(layout.Expect(mappings, Expectation::kSettled));
  EXPECT_EQ(layout.Find(Range(0x11000, 0x13000)), (FilePlace{Range(0x11000, 0x13000), 0x3000}));
}

TEST(CoreLayout, FindCutsToWhatHasAPlace) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.Expect(Mappings{WholeMapping(0x10000, 2, ""), WholeMapping(0x20000, 1, "")},
                            Expectation::kSettled));
  EXPECT_EQ(layout.Find(Range(0, 0x30000)), (FilePlace{Range(0x10000, 0x12000), 0x2000}));
  EXPECT_EQ(layout.Find(Range(0x11000, 0x21000)), (FilePlace{Range(0x11000, 0x12000), 0x3000}));
  EXPECT_EQ(layout.Find(Range(0x12000, 0x30000)), (FilePlace{Range(0x20000, 0x21000), 0x4000}));
  EXPECT_EQ(layout.Find(Range(0x12000, 0x20000)), std::nullopt);
  EXPECT_EQ(layout.Find(Range(0x21000, 0x30000)), std::nullopt);
  EXPECT_EQ(layout.Find(Range(0x10000, 0x10000)), std::nullopt);
}

TEST(CoreLayout, AMappingThatGrowsIntoItsRoomStaysWhereItIs) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.Expect(Mappings{WholeMapping(0x10000000, 1024, "")}, Expectation::kSoFar));
  const uint64_t offset = layout.Find(Range(0x10000000, 0x10001000))->offset;
  // An eighth at either end.
  const Mappings grown{WholeMapping(0x10000000 - 128 * kPage, 1280, "")};
  ASSERT_TRUE(layout.Expect(grown, Expectation::kSettled));
  EXPECT_EQ(layout.Find(Range(0x10000000, 0x10001000))->offset, offset);
  EXPECT_TRUE(layout.former().empty());
  ExpectSettled(layout, {grown});
}

TEST(CoreLayout, AMappingThatGrowsByMoreIsLaidOutAnewBehindAllElse) {
  CoreLayout layout(kContents);
  const SavedMapping other = WholeMapping(0x7f0000000000, 16, "");
  ASSERT_TRUE(
      layout.Expect(Mappings{WholeMapping(0x10000000, 1024, ""), other}, Expectation::kSoFar));
  const uint64_t before = layout.Find(Range(0x10000000, 0x10001000))->offset;
  const uint64_t others = layout.Find(other.saved)->offset;
  const Mappings grown{WholeMapping(0x10000000, 4096, ""), other};
  ASSERT_TRUE(layout.Expect(grown, Expectation::kSettled));
  const uint64_t now = layout.Find(Range(0x10000000, 0x10001000))->offset;
  EXPECT_GT(now, others);
  EXPECT_EQ(layout.Find(other.saved)->offset, others);
  ASSERT_EQ(layout.former().size(), 1u);
  EXPECT_EQ(layout.former()[0].addresses.begin, grown[0].saved.begin);
  EXPECT_EQ(layout.former()[0].offset, before);
  ExpectSettled(layout, grown);
}

TEST(CoreLayout, TwoThatGrowTowardsEachOtherShareWhatIsBetween) {
  CoreLayout layout(kContents);
  const Mappings mappings{WholeMapping(0x10000000, 1024, ""),
                          WholeMapping(0x10000000 + 1034 * kPage, 1024, "")};
  ASSERT_TRUE(layout.Expect(mappings, Expectation::kSoFar));
  ASSERT_EQ(layout.places().size(), 2u);
  EXPECT_EQ(layout.places()[0].addresses.end, layout.places()[1].addresses.begin);
  EXPECT_EQ(layout.places()[0].addresses.end.value, 0x10000000 + 1029 * kPage);
  EXPECT_EQ(layout.places()[0].end(), layout.places()[1].offset);
}

TEST(CoreLayout, ReservedTerabytesGetLittleRoom) {
  CoreLayout layout(kContents);
  const uint64_t begin = uint64_t{1} << 45;
  ASSERT_TRUE(
      layout.Expect(Mappings{WholeMapping(begin, uint64_t{1} << 32, "")}, Expectation::kSoFar));
  ASSERT_EQ(layout.places().size(), 1u);
  EXPECT_EQ(layout.places()[0].addresses.begin.value, begin - GiB(1).count);
  EXPECT_EQ(layout.places()[0].addresses.size().count, (uint64_t{1} << 44) + GiB(2).count);
}

TEST(CoreLayout, TwoThatBecameOneStandInOnePiece) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.Expect(Mappings{WholeMapping(0x10000000, 1024, ""),
                                     WholeMapping(0x10000000 + 1034 * kPage, 1024, "")},
                            Expectation::kSoFar));
  const Mappings joined{WholeMapping(0x10000000, 2058, "")};
  ASSERT_TRUE(layout.Expect(joined, Expectation::kSettled));
  EXPECT_EQ(layout.former().size(), 2u);
  ExpectSettled(layout, joined);
}

TEST(CoreLayout, OneThatBecameSeveralStaysWhereItIs) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.Expect(Mappings{WholeMapping(0x10000000, 64, "")}, Expectation::kSoFar));
  const Mappings split{WholeMapping(0x10000000, 10, ""), WholeMapping(0x1000a000, 10, ""),
                       LeftOut(0x10014000, 20), WholeMapping(0x10028000, 24, "")};
  ASSERT_TRUE(layout.Expect(split, Expectation::kSettled));
  EXPECT_TRUE(layout.former().empty());
  ExpectSettled(layout, split);
}

TEST(CoreLayout, MovedTwiceTheLatestPlaceIsTheLast) {
  CoreLayout layout(kContents);
  for (const uint64_t pages : {64u, 256u, 1024u}) {
    ASSERT_TRUE(layout.Expect(Mappings{WholeMapping(0x10000000, pages, "")}, Expectation::kSoFar));
  }
  ASSERT_EQ(layout.former().size(), 2u);
  EXPECT_LT(layout.former()[0].offset, layout.former()[1].offset);
  EXPECT_LT(layout.former()[1].offset, layout.Find(Range(0x10000000, 0x10001000))->offset);
}

TEST(CoreLayout, PagesNobodyExpectedGetAPlaceAndKeepItIfTheyCan) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.Expect(Mappings{WholeMapping(0x10000000, 4, "")}, Expectation::kSoFar));
  EXPECT_EQ(layout.Find(Range(0x20000000, 0x20002000)), std::nullopt);
  ASSERT_TRUE(layout.MakeRoomFor(Range(0x20000000, 0x20002000)));
  const auto place = layout.Find(Range(0x20000000, 0x20002000));
  ASSERT_TRUE(place);
  ASSERT_TRUE(layout.MakeRoomFor(Range(0x20000000, 0x20003000)));
  EXPECT_EQ(layout.Find(Range(0x20000000, 0x20002000)), place);
  const Mappings mappings{WholeMapping(0x10000000, 4, ""), WholeMapping(0x20000000, 8, "")};
  ASSERT_TRUE(layout.Expect(mappings, Expectation::kSettled));
  EXPECT_EQ(layout.Find(Range(0x20000000, 0x20002000)), place);
  ExpectSettled(layout, mappings);
}

TEST(CoreLayout, RangesThatOverlapSeveralPlacesAreFilledUp) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.MakeRoomFor(Range(0x10000000, 0x10001000)));
  ASSERT_TRUE(layout.MakeRoomFor(Range(0x10100000, 0x10101000)));
  ASSERT_TRUE(layout.MakeRoomFor(Range(0x0ff00000, 0x10200000)));
  AddressRange left = Range(0x0ff00000, 0x10200000);
  for (auto place = layout.Find(left); place; place = layout.Find(left)) {
    ASSERT_EQ(place->addresses.begin, left.begin);
    left.begin = place->addresses.end;
  }
  EXPECT_TRUE(left.empty());
}

TEST(CoreLayout, OtherMappingsThanWereSettledAreNotHeld) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.Expect(Mappings{WholeMapping(0x10000, 4, "")}, Expectation::kSettled));
  EXPECT_FALSE(layout.Holds(Mappings{}));
  EXPECT_FALSE(layout.Holds(Mappings{WholeMapping(0x10000, 3, "")}));
  EXPECT_FALSE(layout.Holds(Mappings{WholeMapping(0x10000, 5, "")}));
  EXPECT_FALSE(layout.Holds(Mappings{WholeMapping(0x10000, 4, ""), WholeMapping(0x20000, 1, "")}));
  EXPECT_TRUE(layout.Holds(Mappings{WholeMapping(0x10000, 4, ""), LeftOut(0x20000, 1)}));
}

TEST(CoreLayout, NothingCanBeExpectedOnceItIsSettled) {
  CoreLayout layout(kContents);
  ASSERT_TRUE(layout.Expect({}, Expectation::kSettled));
  EXPECT_EQ(layout.Expect({}, Expectation::kSoFar).error().code, ErrorCode::kInternal);
}

TEST(CoreLayout, MappingsThatOverlapAreRefused) {
  CoreLayout layout(kContents);
  const auto result = layout.Expect(
      Mappings{WholeMapping(0x10000, 4, ""), WholeMapping(0x12000, 1, "")}, Expectation::kSettled);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
}

TEST(CoreLayout, MoreThanAnyProcessCanHaveIsRefused) {
  for (const Expectation expectation : {Expectation::kSoFar, Expectation::kSettled}) {
    CoreLayout layout(kContents);
    const Mappings huge{WholeMapping(0x10000, (uint64_t{1} << 52) - 0x20, "")};
    const auto result = layout.Expect(huge, expectation);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(result.error().hint.find("--filter"), std::string::npos);
  }
}

TEST(CoreLayout, SeventyThousandMappingsThatGrowAreSettled) {
  CoreLayout layout(kContents);
  Mappings mappings;
  for (uint64_t i = 0; i < 70'000; ++i) {
    mappings.push_back(WholeMapping(0x10000000 + i * 16 * kPage, 4 + i % 2, ""));
  }
  ASSERT_TRUE(layout.Expect(mappings, Expectation::kSoFar));
  for (uint64_t i = 0; i < mappings.size(); i += 7) {
    mappings[i] = WholeMapping(mappings[i].saved.begin.value, 16, "");
  }
  ASSERT_TRUE(layout.Expect(mappings, Expectation::kSettled));
  // Of each its own place, and the room before the next one.
  EXPECT_EQ(layout.former().size(), 20'000u);
  ExpectSettled(layout, mappings);
}

TEST(CoreSegments, OneForEachMappingAsTheKernelMakesThem) {
  Mappings mappings{WholeMapping(0x10000, 2, ""), LeftOut(0x12000, 1), FirstPageOf(0x20000, 5)};
  mappings[2].mapping.writable = false;
  mappings[2].mapping.executable = true;
  const std::vector<CoreSegment> expected{{Range(0x10000, 0x12000), Bytes{0x2000}, PF_R | PF_W},
                                          {Range(0x12000, 0x13000), Bytes{0}, PF_R | PF_W},
                                          {Range(0x20000, 0x25000), Bytes{0x1000}, PF_R | PF_X}};
  EXPECT_EQ(CutSegments(mappings, {}), expected);
}

TEST(CoreSegments, ASavedPartWithinItsMappingHasOneBeforeIt) {
  Mappings mappings{WholeMapping(0x10000, 8, "")};
  mappings[0].saved = Range(0x12000, 0x14000);
  const std::vector<CoreSegment> expected{{Range(0x10000, 0x12000), Bytes{0}, PF_R | PF_W},
                                          {Range(0x12000, 0x18000), Bytes{0x2000}, PF_R | PF_W}};
  EXPECT_EQ(CutSegments(mappings, {}), expected);
}

TEST(CoreSegments, LostPagesAreInNone) {
  const Mappings mappings{WholeMapping(0x10000, 8, "")};
  const std::vector<RangeReason> lost{{Range(0x11000, 0x12000), "ksm"},
                                      {Range(0x12000, 0x13000), "unmapped"},
                                      {Range(0x16000, 0x17000), "ksm"}};
  const std::vector<CoreSegment> expected{{Range(0x10000, 0x11000), Bytes{0x1000}, PF_R | PF_W},
                                          {Range(0x11000, 0x11000), Bytes{0}, PF_R | PF_W},
                                          {Range(0x13000, 0x16000), Bytes{0x3000}, PF_R | PF_W},
                                          {Range(0x16000, 0x16000), Bytes{0}, PF_R | PF_W},
                                          {Range(0x17000, 0x18000), Bytes{0x1000}, PF_R | PF_W}};
  EXPECT_EQ(CutSegments(mappings, lost), expected);
}

TEST(CoreSegments, LostPagesAtBothEndsAndAcrossMappings) {
  const Mappings mappings{WholeMapping(0x10000, 2, ""), WholeMapping(0x12000, 2, ""),
                          FirstPageOf(0x20000, 4)};
  const std::vector<RangeReason> lost{{Range(0x11000, 0x13000), "unmapped"},
                                      {Range(0x20000, 0x21000), "unmapped"}};
  const std::vector<CoreSegment> expected{{Range(0x10000, 0x11000), Bytes{0x1000}, PF_R | PF_W},
                                          {Range(0x11000, 0x11000), Bytes{0}, PF_R | PF_W},
                                          {Range(0x12000, 0x12000), Bytes{0}, PF_R | PF_W},
                                          {Range(0x13000, 0x14000), Bytes{0x1000}, PF_R | PF_W},
                                          {Range(0x20000, 0x20000), Bytes{0}, PF_R | PF_W},
                                          {Range(0x21000, 0x24000), Bytes{0}, PF_R | PF_W}};
  EXPECT_EQ(CutSegments(mappings, lost), expected);
}

TEST(ElfHeaders, FromPnXnumOnSectionHeaderZeroCounts) {
  const CoreParts parts{.section_header = 0x1234};
  for (const uint64_t count : {65'534u, 65'535u, 70'001u}) {
    const Elf64_Ehdr header = CoreElfHeader(parts, count);
    const bool many = count >= PN_XNUM;
    EXPECT_EQ(header.e_phnum, many ? PN_XNUM : count) << count;
    EXPECT_EQ(header.e_shoff, many ? 0x1234u : 0u) << count;
    EXPECT_EQ(header.e_shnum, many ? 1 : 0) << count;
    EXPECT_EQ(CountingSectionHeader(count).sh_info, count);
  }
}

TEST(PageStates, StatesHoldWhereverTheyAreSet) {
  PageStates states;
  constexpr uint64_t kMany = 100'000;
  std::vector<PageState> expected(kMany);
  const auto set = [&](uint64_t first, uint64_t count, PageState state) {
    states.Set(first, count, state);
    std::fill_n(expected.begin() + static_cast<ptrdiff_t>(first), count, state);
  };
  set(5, 70'000, PageState::Zero());
  set(32'000, 2'000, PageState::Data(PageSource::kFaulted));
  set(32'768, 32'768, PageState::Lost(249));
  set(40'000, 1, PageState::Data(PageSource::kPaused));
  set(90'000, 0, PageState::Zero());
  set(65'535, 2, PageState());
  uint64_t next = 0;
  const auto check = [&](const PageStates::Run& run) -> Result<void> {
    EXPECT_EQ(run.first, next);
    EXPECT_GT(run.count, 0u);
    for (uint64_t i = 0; i < run.count; ++i) EXPECT_EQ(run.state, expected[run.first + i]);
    next += run.count;
    return {};
  };
  ASSERT_TRUE(ForEachRun(states, 0, kMany, check));
  EXPECT_EQ(next, kMany);
}

TEST(PageStates, AStateSaysWhatItIs) {
  EXPECT_FALSE(PageState().is_told());
  EXPECT_TRUE(PageState::Zero().is_told());
  EXPECT_FALSE(PageState::Zero().is_data() || PageState::Zero().is_lost());
  for (const auto source : {PageSource::kScanned, PageSource::kFaulted, PageSource::kPaused}) {
    const PageState state = PageState::Data(source);
    EXPECT_TRUE(state.is_told() && state.is_data() && !state.is_lost());
    EXPECT_EQ(state.source(), source);
  }
  for (size_t reason = 0; reason < PageState::kMostReasons; ++reason) {
    const PageState state = PageState::Lost(reason);
    EXPECT_TRUE(state.is_told() && !state.is_data() && state.is_lost());
    EXPECT_EQ(state.reason(), reason);
  }
}

}  // namespace
}  // namespace stillframe
