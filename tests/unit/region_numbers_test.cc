// Page numbers of a target whose mappings change: a page that stays keeps its own.
#include "save/region_numbers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace stillframe {
namespace {

constexpr Pages kRoom{1000};

TargetAddress Page(uint64_t page) { return {page * kPageSize.count}; }
AddressRange Range(uint64_t page, uint64_t pages) { return {Page(page), Page(page + pages)}; }
PageRun Numbers(uint64_t first, uint64_t pages) { return {{first}, Pages{pages}}; }

Region Mapping(uint64_t page, uint64_t pages) {
  return {.range = Range(page, pages), .first = {}, .mapping = Range(page, pages)};
}

// Which page number each page has, from `page` on; kRoom where it has none.
std::vector<uint64_t> NumbersAt(const RegionSet& set, uint64_t page, uint64_t pages) {
  std::vector<uint64_t> numbers(pages, kRoom.count);
  for (const Region& region : set.regions()) {
    const AddressRange part = Intersect(region.range, Range(page, pages));
    for (TargetAddress at = part.begin; at < part.end; at = at + kPageSize) {
      numbers[ToPages(at - Page(page)).count] = region.PagesIn({at, at + kPageSize}).first.value;
    }
  }
  return numbers;
}

// A mapping of 10 pages at 100, one of 20 at 200.
RegionSet Two() { return RegionSet({Mapping(100, 10), Mapping(200, 20)}); }

TEST(RegionNumbersTest, WhatDidNotChangeIsAsItWas) {
  const RegionSet before = Two();
  const auto after = RenumberRegions({Mapping(100, 10), Mapping(200, 20)}, before, kRoom);
  ASSERT_TRUE(after);
  EXPECT_TRUE(std::ranges::equal(after->regions.regions(), before.regions()));
  EXPECT_TRUE(after->fresh.empty());
  EXPECT_TRUE(after->retired.empty());
}

TEST(RegionNumbersTest, ANewMappingBeforeOthersLeavesThemTheirNumbers) {
  const auto after =
      RenumberRegions({Mapping(50, 5), Mapping(100, 10), Mapping(200, 20)}, Two(), kRoom);
  ASSERT_TRUE(after);
  EXPECT_EQ(NumbersAt(after->regions, 100, 2), (std::vector<uint64_t>{0, 1}));
  EXPECT_EQ(NumbersAt(after->regions, 200, 2), (std::vector<uint64_t>{10, 11}));
  EXPECT_EQ(NumbersAt(after->regions, 50, 2), (std::vector<uint64_t>{30, 31}));
  EXPECT_EQ(after->fresh, (std::vector<PageRun>{Numbers(30, 5)}));
  EXPECT_TRUE(after->retired.empty());
  EXPECT_EQ(after->regions.pages(), Pages{35});
  // By page as well as by address.
  EXPECT_EQ(after->regions.AddressOf({30}), Page(50));
  EXPECT_EQ(after->regions.AddressOf({34}), Page(54));
  EXPECT_EQ(after->regions.AddressOf({0}), Page(100));
  EXPECT_EQ(after->regions.AddressOf({29}), Page(219));
}

TEST(RegionNumbersTest, AMappingWithAHoleKeepsBothSides) {
  const auto after =
      RenumberRegions({Mapping(100, 10), Mapping(200, 5), Mapping(212, 8)}, Two(), kRoom);
  ASSERT_TRUE(after);
  EXPECT_EQ(NumbersAt(after->regions, 204, 1), (std::vector<uint64_t>{14}));
  EXPECT_EQ(NumbersAt(after->regions, 212, 8).back(), 29u);
  EXPECT_TRUE(after->fresh.empty());
  EXPECT_EQ(after->retired, (std::vector<PageRun>{Numbers(15, 7)}));
}

TEST(RegionNumbersTest, AMappingThatGrewIsNewWhereItGrew) {
  const auto after = RenumberRegions({Mapping(98, 14), Mapping(200, 20)}, Two(), kRoom);
  ASSERT_TRUE(after);
  EXPECT_EQ(NumbersAt(after->regions, 98, 14),
            (std::vector<uint64_t>{30, 31, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 32, 33}));
  EXPECT_EQ(after->fresh, (std::vector<PageRun>{Numbers(30, 2), Numbers(32, 2)}));
  ASSERT_EQ(after->regions.regions().size(), 4u);
  // To be registered as a whole.
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(after->regions.regions()[i].mapping, Range(98, 14));
}

TEST(RegionNumbersTest, MappingsThatBecameOneKeepTheirNumbers) {
  const RegionSet before({Mapping(100, 10), Mapping(112, 8)});
  const auto after = RenumberRegions({Mapping(100, 20)}, before, kRoom);
  ASSERT_TRUE(after);
  EXPECT_EQ(NumbersAt(after->regions, 108, 6), (std::vector<uint64_t>{8, 9, 18, 19, 10, 11}));
}

TEST(RegionNumbersTest, MemoryOfAnotherKindIsNew) {
  Region huge = Mapping(1024, 512);
  const RegionSet before({huge});
  huge.page_size = MiB(2);
  const auto after = RenumberRegions({huge}, before, Pages{2000});
  ASSERT_TRUE(after);
  EXPECT_EQ(after->fresh, (std::vector<PageRun>{Numbers(512, 512)}));
  EXPECT_EQ(after->retired, (std::vector<PageRun>{Numbers(0, 512)}));
}

TEST(RegionNumbersTest, WhatKsmMayMergeByNowIsNew) {
  Region mapping = Mapping(100, 10);
  const RegionSet before({mapping});
  mapping.mergeable = true;
  const auto after = RenumberRegions({mapping}, before, kRoom);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->fresh, (std::vector<PageRun>{Numbers(10, 10)}));
}

TEST(RegionNumbersTest, ChangesOneAfterAnotherNeverGiveANumberTwice) {
  auto numbers = RenumberRegions({Mapping(100, 12)}, Two(), kRoom);
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers->retired, (std::vector<PageRun>{Numbers(10, 20)}));
  numbers = RenumberRegions({Mapping(90, 22), Mapping(200, 20)}, numbers->regions, kRoom);
  ASSERT_TRUE(numbers);
  EXPECT_EQ(NumbersAt(numbers->regions, 100, 12),
            (std::vector<uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31}));
  EXPECT_EQ(numbers->fresh, (std::vector<PageRun>{Numbers(32, 10), Numbers(42, 20)}));
  EXPECT_TRUE(numbers->retired.empty());
}

TEST(RegionNumbersTest, ThereAreOnlySoMany) {
  EXPECT_TRUE(RenumberRegions({Mapping(100, 10), Mapping(300, 70)}, Two(), Pages{100}));
  EXPECT_FALSE(RenumberRegions({Mapping(100, 10), Mapping(300, 71)}, Two(), Pages{100}));
}

}  // namespace
}  // namespace stillframe
