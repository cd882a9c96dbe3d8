#include "base/last_told.h"

#include <gtest/gtest.h>

#include <random>

namespace stillframe {
namespace {

AddressRange Range(uint64_t begin, uint64_t end) { return {{begin}, {end}}; }

TEST(LastTold, NothingIsLeftOfNothing) { EXPECT_TRUE(LastTold({}).empty()); }

TEST(LastTold, ALaterRangeCutsAnEarlierOneInTwo) {
  const std::vector<AddressRange> told{Range(0, 10), Range(3, 5)};
  EXPECT_EQ(LastTold(told),
            (std::vector<ToldPart>{{Range(0, 3), 0}, {Range(3, 5), 1}, {Range(5, 10), 0}}));
}

TEST(LastTold, AnEarlierRangeBehindALaterOneStaysOnlyWhereThatEnds) {
  const std::vector<AddressRange> told{Range(3, 12), Range(0, 10), Range(20, 30)};
  EXPECT_EQ(LastTold(told),
            (std::vector<ToldPart>{{Range(0, 10), 1}, {Range(10, 12), 0}, {Range(20, 30), 2}}));
}

TEST(LastTold, WhatIsCoveredIsGone) {
  const std::vector<AddressRange> told{Range(2, 4), Range(6, 8), Range(0, 10)};
  EXPECT_EQ(LastTold(told), (std::vector<ToldPart>{{Range(0, 10), 2}}));
}

TEST(LastTold, AsAPlainArrayThatIsOverwritten) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<AddressRange> told;
    std::vector<int> cells(40, -1);
    for (int i = 0; i < static_cast<int>(random() % 30); ++i) {
      const uint64_t begin = random() % 39;
      const uint64_t end = begin + 1 + random() % (40 - begin);
      told.push_back(Range(begin, end));
      std::fill(cells.begin() + static_cast<ptrdiff_t>(begin),
                cells.begin() + static_cast<ptrdiff_t>(end), i);
    }
    std::vector<int> got(40, -1);
    uint64_t behind = 0;
    for (const ToldPart& part : LastTold(told)) {
      ASSERT_LE(behind, part.range.begin.value);
      ASSERT_FALSE(part.range.empty());
      behind = part.range.end.value;
      for (uint64_t at = part.range.begin.value; at < behind; ++at) {
        got[at] = static_cast<int>(part.told);
      }
    }
    ASSERT_EQ(got, cells);
  }
}

}  // namespace
}  // namespace stillframe
