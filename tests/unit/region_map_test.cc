#include "region/region_map.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

namespace stillframe {
namespace {

AddressRange Range(uint64_t first_page, uint64_t pages) {
  return {{first_page << 12}, {(first_page + pages) << 12}};
}
TargetAddress Page(uint64_t number) { return {number << 12}; }

RegionSet TwoRegions() {
  return RegionSet(
      {{.range = Range(0x100, 10), .first = {}}, {.range = Range(0x200, 20), .first = {}}});
}

TEST(RegionSetTest, CountsPagesThroughAllRegions) {
  const RegionSet regions = TwoRegions();
  EXPECT_EQ(regions.pages(), Pages{30});
  EXPECT_EQ(regions.AddressOf(PageIndex{0}), Page(0x100));
  EXPECT_EQ(regions.AddressOf(PageIndex{9}), Page(0x109));
  EXPECT_EQ(regions.AddressOf(PageIndex{10}), Page(0x200));
  EXPECT_EQ(regions.RegionOf(PageIndex{29}).range, Range(0x200, 20));
}

TEST(RegionMapTest, FindsPagesByAddressAndBack) {
  const RcuThread rcu;
  const RegionSet regions = TwoRegions();
  const RegionMap map(regions);
  EXPECT_FALSE(map.AtAddress(Page(0xff)));
  EXPECT_FALSE(map.AtAddress(Page(0x10a)));
  const auto segment = map.AtAddress(Page(0x105));
  ASSERT_TRUE(segment);
  EXPECT_EQ(segment->pages.first, PageIndex{5});
  EXPECT_EQ(segment->pages.count, Pages{5});
  EXPECT_EQ(map.AtPage(PageIndex{12})->begin, Page(0x202));
}

TEST(RegionMapTest, AMovedRangeIsFoundAtItsNewPlaceOnly) {
  const RcuThread rcu;
  const RegionSet regions = TwoRegions();
  RegionMap map(regions);
  map.Move(Page(0x204), Page(0x900), ToBytes(Pages{4}));
  EXPECT_EQ(map.moves(), 1u);
  EXPECT_FALSE(map.AtAddress(Page(0x205)));
  EXPECT_EQ(map.AtAddress(Page(0x901))->pages.first, PageIndex{15});
  EXPECT_EQ(map.AtPage(PageIndex{15})->begin, Page(0x901));
  EXPECT_EQ(map.AtPage(PageIndex{13})->begin, Page(0x203));
  EXPECT_EQ(map.AtPage(PageIndex{13})->pages.count, Pages{1});
  EXPECT_EQ(map.AtPage(PageIndex{18})->begin, Page(0x208));
}

TEST(RegionMapTest, WhatLaySomethingElseIsMovedOverIsNowhere) {
  const RcuThread rcu;
  const RegionSet regions = TwoRegions();
  RegionMap map(regions);
  map.Move(Page(0x100), Page(0x205), ToBytes(Pages{10}));
  EXPECT_FALSE(map.AtPage(PageIndex{15}));
  EXPECT_EQ(map.AtAddress(Page(0x205))->pages.first, PageIndex{0});
  EXPECT_EQ(map.AtAddress(Page(0x20f))->pages.first, PageIndex{25});
}

TEST(RegionMapTest, VisitsEachSegmentOfARangeCutToIt) {
  const RcuThread rcu;
  const RegionSet regions = TwoRegions();
  const RegionMap map(regions);
  std::vector<PageRun> seen;
  map.ForEachIn({Page(0x108), Page(0x203)}, [&](const Segment& s) { seen.push_back(s.pages); });
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0], (PageRun{PageIndex{8}, Pages{2}}));
  EXPECT_EQ(seen[1], (PageRun{PageIndex{10}, Pages{3}}));
}

TEST(RegionMapTest, AgreesWithAModelOverRandomMoves) {
  const RcuThread rcu;
  const RegionSet regions = TwoRegions();
  RegionMap map(regions);
  std::map<uint64_t, uint64_t> model;  // page address to page of the save
  for (uint64_t i = 0; i < 10; ++i) model[0x100 + i] = i;
  for (uint64_t i = 0; i < 20; ++i) model[0x200 + i] = 10 + i;
  std::mt19937 random(3);
  for (int step = 0; step < 300; ++step) {
    const uint64_t pages = 1 + random() % 8;
    const uint64_t from = 0xf0 + random() % 0x140;
    uint64_t to = 0xf0 + random() % 0x140;
    if (to < from + pages && from < to + pages) to = from + pages;  // mremap refuses an overlap
    map.Move(Page(from), Page(to), ToBytes(Pages{pages}));
    std::map<uint64_t, uint64_t> next;
    for (const auto& [address, page] : model) {
      if (address >= from && address < from + pages) {
        next[address - from + to] = page;
      } else if (address < to || address >= to + pages) {
        next.try_emplace(address, page);
      }
    }
    model = next;
    for (uint64_t address = 0xe0; address < 0x260; ++address) {
      const auto found = map.AtAddress(Page(address));
      const auto expected = model.find(address);
      ASSERT_EQ(found.has_value(), expected != model.end()) << step << " " << address;
      if (found) {
        ASSERT_EQ(found->pages.first.value, expected->second) << step;
      }
    }
    for (const auto& [address, page] : model) {
      ASSERT_EQ(map.AtPage(PageIndex{page})->begin, Page(address)) << step;
    }
  }
}

TEST(RegionMapTest, ReadersSeeOneLayoutOrTheNext) {
  const RegionSet regions = TwoRegions();
  RegionMap map(regions);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> wrong = 0;
  std::thread reader([&] {
    const RcuThread rcu;
    while (!stop) {
      const auto at = map.AtPage(PageIndex{0});
      if (at && at->begin != Page(0x100) && at->begin != Page(0x900)) ++wrong;
    }
  });
  for (int i = 0; i < 500; ++i) {
    map.Move(Page(0x100), Page(0x900), ToBytes(Pages{10}));
    map.Move(Page(0x900), Page(0x100), ToBytes(Pages{10}));
  }
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace stillframe
