#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "report/html_memory_map.h"

namespace stillframe {
namespace {

AddressRange Range(uint64_t begin, Pages size) {
  return {TargetAddress{begin}, TargetAddress{begin} + ToBytes(size)};
}

SavedMapping MappingAt(uint64_t begin, Pages size, std::string name = {}) {
  SavedMapping saved;
  saved.mapping.range = saved.saved = Range(begin, size);
  saved.mapping.readable = true;
  saved.mapping.name = std::move(name);
  return saved;
}

HtmlMemoryMap::Cell Sum(const HtmlMemoryMap& map) {
  HtmlMemoryMap::Cell sum = {};
  for (const HtmlMemoryMap::Mapping& mapping : map.mappings) {
    for (const HtmlMemoryMap::Cell& cell : mapping.cells) {
      for (size_t kind = 0; kind < kHtmlPageKinds; ++kind) sum[kind] += cell[kind];
    }
  }
  return sum;
}

size_t CountCells(const HtmlMemoryMap& map) {
  size_t cells = 0;
  for (const HtmlMemoryMap::Mapping& mapping : map.mappings) cells += mapping.cells.size();
  return cells;
}

using Cell = HtmlMemoryMap::Cell;

TEST(HtmlMemoryMap, ASmallMemoryHasACellForEachPage) {
  const HtmlMemoryMap map = MakeHtmlMemoryMap({MappingAt(0x10000, Pages{3}, "[heap]")},
                                              {{Range(0x12000, Pages{1}), HtmlPageKind::kLost},
                                               {Range(0x10000, Pages{2}), HtmlPageKind::kFaulted}});
  EXPECT_EQ(map.cell_pages, Pages{1});
  ASSERT_EQ(map.mappings.size(), 1u);
  EXPECT_EQ(map.mappings[0].name, "[heap]");
  EXPECT_EQ(map.mappings[0].permissions, "r--p");
  const std::vector<Cell> expected = {{0, 0, 1, 0, 0}, {0, 0, 1, 0, 0}, {0, 0, 0, 0, 1}};
  EXPECT_EQ(map.mappings[0].cells, expected);
}

TEST(HtmlMemoryMap, ALargeMemoryPutsNeighboursIntoOneCellAndCountsThemByKind) {
  // 16,385 pages: cells of 4, the last one of 1.
  const HtmlMemoryMap map = MakeHtmlMemoryMap(
      {MappingAt(0x100000, Pages{16385})}, {{Range(0x100000, Pages{6}), HtmlPageKind::kScanned},
                                            {Range(0x106000, Pages{16379}), HtmlPageKind::kZero}});
  EXPECT_EQ(map.cell_pages, Pages{4});
  ASSERT_EQ(CountCells(map), 4097u);
  EXPECT_EQ(map.mappings[0].cells[0], (Cell{0, 4, 0, 0, 0}));
  EXPECT_EQ(map.mappings[0].cells[1], (Cell{2, 2, 0, 0, 0}));
  EXPECT_EQ(map.mappings[0].cells[4096], (Cell{1, 0, 0, 0, 0}));
  EXPECT_EQ(Sum(map), (Cell{16379, 6, 0, 0, 0}));
}

TEST(HtmlMemoryMap, ARangeOverSeveralMappingsIsCutAtTheirEdges) {
  const HtmlMemoryMap map =
      MakeHtmlMemoryMap({MappingAt(0x10000, Pages{1}), MappingAt(0x20000, Pages{2})},
                        {{Range(0x8000, Pages{0x19}), HtmlPageKind::kPaused}});
  ASSERT_EQ(map.mappings.size(), 2u);
  EXPECT_EQ(map.mappings[0].cells, std::vector<Cell>({{0, 0, 0, 1, 0}}));
  EXPECT_EQ(map.mappings[1].cells, std::vector<Cell>({{0, 0, 0, 1, 0}, {}}));
}

TEST(HtmlMemoryMap, OnlyTheSavedPartOfAMappingIsDrawn) {
  SavedMapping header = MappingAt(0x10000, Pages{8}, "/usr/bin/program");
  header.saved = Range(0x10000, Pages{1});
  const HtmlMemoryMap map =
      MakeHtmlMemoryMap({header}, {{Range(0x10000, Pages{8}), HtmlPageKind::kScanned}});
  EXPECT_EQ(Sum(map), (Cell{0, 1, 0, 0, 0}));
  EXPECT_EQ(map.mappings[0].range, Range(0x10000, Pages{1}));
}

TEST(HtmlMemoryMap, MappingsThatAreNotSavedTakeNoRoomFromThoseThatAre) {
  std::vector<SavedMapping> mappings;
  for (uint64_t i = 0; i < 4 * HtmlMemoryMap::kMaxMappings; ++i) {
    SavedMapping mapping = MappingAt(0x100000 + i * 0x10000, Pages{1});
    if (i % 4 != 0) mapping.saved.end = mapping.saved.begin;
    mappings.push_back(std::move(mapping));
  }
  const HtmlMemoryMap map = MakeHtmlMemoryMap(mappings, {});
  ASSERT_EQ(map.mappings.size(), HtmlMemoryMap::kMaxMappings);
  for (const HtmlMemoryMap::Mapping& mapping : map.mappings) EXPECT_EQ(mapping.merged, 0u);
}

TEST(HtmlMemoryMap, NothingSavedIsAnEmptyMap) {
  EXPECT_TRUE(MakeHtmlMemoryMap({}, {{Range(0x1000, Pages{1}), HtmlPageKind::kZero}}).empty());
  EXPECT_TRUE(MakeHtmlMemoryMap({MappingAt(0x1000, Pages{0})}, {}).empty());
}

TEST(HtmlMemoryMap, OfTooManyMappingsTheLargeStandAloneAndTheRestTogether) {
  std::vector<SavedMapping> mappings;
  std::vector<HtmlPageRange> ranges;
  constexpr uint64_t kCount = 60'000;
  for (uint64_t i = 0; i < kCount; ++i) {
    // Every thousandth is larger than the others.
    mappings.push_back(MappingAt(0x100000 + i * 0x10000, Pages{i % 1000 == 0 ? 10u : 1u}));
    ranges.push_back({mappings.back().saved, HtmlPageKind::kScanned});
  }
  const HtmlMemoryMap map = MakeHtmlMemoryMap(mappings, ranges);
  EXPECT_LE(map.mappings.size(), HtmlMemoryMap::kMaxMappings);
  EXPECT_LE(CountCells(map), HtmlMemoryMap::kMaxCells + HtmlMemoryMap::kMaxMappings);
  EXPECT_EQ(Sum(map), (Cell{0, kCount + 60 * 9, 0, 0, 0}));
  uint64_t large = 0;
  uint64_t described = 0;
  for (const HtmlMemoryMap::Mapping& mapping : map.mappings) {
    if (mapping.merged == 0 && mapping.range.pages() == Pages{10}) ++large;
    described += 1 + mapping.merged;
  }
  EXPECT_EQ(large, 60u);
  EXPECT_EQ(described, kCount);
}

TEST(HtmlMemoryMap, ATerabyteStaysWithinTheBound) {
  const Pages size = ToPages(GiB(1024));
  const HtmlMemoryMap map = MakeHtmlMemoryMap({MappingAt(0x7f0000000000, size)},
                                              {{Range(0x7f0000000000, size), HtmlPageKind::kZero}});
  EXPECT_LE(CountCells(map), HtmlMemoryMap::kMaxCells);
  EXPECT_EQ(Sum(map)[0], size.count);
}

}  // namespace
}  // namespace stillframe
