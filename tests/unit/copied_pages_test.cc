#include "save/copied_pages.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

AddressRange PagesAt(uint64_t first, uint64_t n) {
  return {{first * kPage}, {(first + n) * kPage}};
}

std::vector<bool> Missing(const CopiedPages& copied, uint64_t first, uint64_t n) {
  std::vector<bool> missing(n, false);
  uint64_t behind = first;
  copied.ForEachMissing(PagesAt(first, n), [&](AddressRange range) {
    EXPECT_FALSE(range.empty());
    EXPECT_GE(range.begin.value / kPage, behind);
    behind = range.end.value / kPage;
    EXPECT_LE(behind, first + n);
    for (uint64_t i = range.begin.value / kPage; i < behind; ++i) missing[i - first] = true;
  });
  return missing;
}

TEST(CopiedPages, AtFirstAllAreMissing) {
  EXPECT_EQ(Missing(CopiedPages(), 3, 2000), std::vector<bool>(2000, true));
}

TEST(CopiedPages, AHugeReservedRangeCostsNothing) {
  CopiedPages copied;
  copied.Remove({{0}, {uint64_t{1} << 30}});
  copied.Add(PagesAt(uint64_t{1} << 33, 1));
  EXPECT_EQ(Missing(copied, uint64_t{1} << 33, 1), std::vector<bool>{false});
}

TEST(CopiedPages, AsAPlainArrayOfBits) {
  constexpr uint64_t kFirst = 1000;
  constexpr uint64_t kCount = 2500;
  std::mt19937 random(3);
  CopiedPages copied;
  std::vector<bool> missing(kCount, true);
  for (int round = 0; round < 400; ++round) {
    const uint64_t first = random() % kCount;
    const uint64_t n = 1 + random() % std::min<uint64_t>(kCount - first, 1 + random() % 900);
    const bool add = random() % 2 == 0;
    if (add) {
      copied.Add(PagesAt(kFirst + first, n));
    } else {
      copied.Remove(PagesAt(kFirst + first, n));
    }
    std::fill_n(missing.begin() + static_cast<ptrdiff_t>(first), n, !add);
    ASSERT_EQ(Missing(copied, kFirst, kCount), missing);
  }
}

}  // namespace
}  // namespace stillframe
