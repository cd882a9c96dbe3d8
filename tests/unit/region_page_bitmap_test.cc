#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>
#include <vector>

#include "region/page_bitmap.h"

namespace stillframe {
namespace {

PageRun Stretch(uint64_t first, uint64_t count) { return {PageIndex{first}, Pages{count}}; }

TEST(PageBitmapTest, ARunIsClaimedUpToTheFirstPageThatIsTaken) {
  PageBitmap bitmap(Pages{1000});
  EXPECT_TRUE(bitmap.TestAndSet(PageIndex{150}));
  EXPECT_FALSE(bitmap.TestAndSet(PageIndex{150}));
  EXPECT_EQ(bitmap.ClaimPrefix(Stretch(60, 200)), Stretch(60, 90));
  EXPECT_TRUE(bitmap.ClaimPrefix(Stretch(60, 200)).empty());
  EXPECT_EQ(bitmap.ClaimPrefix(Stretch(151, 849)), Stretch(151, 849));
  EXPECT_EQ(bitmap.CountSet(), Pages{940});
}

TEST(PageBitmapTest, AClearedPageCanBeClaimedAgain) {
  PageBitmap bitmap(Pages{100});
  bitmap.SetRun(Stretch(0, 100));
  bitmap.Clear(PageIndex{64});
  EXPECT_FALSE(bitmap.Test(PageIndex{64}));
  EXPECT_EQ(bitmap.ClaimPrefix(Stretch(64, 5)), Stretch(64, 1));
}

TEST(PageBitmapTest, RunsOfSetAndClearBitsAreFound) {
  PageBitmap bitmap(Pages{300});
  bitmap.SetRun(Stretch(10, 100));
  bitmap.SetRun(Stretch(200, 100));
  EXPECT_EQ(bitmap.NextSet(Stretch(0, 300)), Stretch(10, 100));
  EXPECT_EQ(bitmap.NextSet(Stretch(50, 20)), Stretch(50, 20));
  EXPECT_EQ(bitmap.NextSet(Stretch(110, 190)), Stretch(200, 100));
  EXPECT_EQ(bitmap.NextSet(Stretch(110, 50)), Stretch(160, 0));
  EXPECT_EQ(bitmap.NextClear(Stretch(10, 290)), Stretch(110, 90));
  EXPECT_TRUE(bitmap.NextClear(Stretch(200, 100)).empty());
}

TEST(PageBitmapTest, AgreesWithASetOverRandomSteps) {
  constexpr uint64_t kSize = 517;
  PageBitmap bitmap(Pages{kSize});
  std::set<uint64_t> model;
  std::mt19937 random(7);
  for (int step = 0; step < 5000; ++step) {
    const uint64_t first = random() % kSize;
    const uint64_t count = 1 + random() % (kSize - first);
    if (step % 7 == 0) {
      bitmap.Clear(PageIndex{first});
      model.erase(first);
    } else if (step % 5 == 0) {
      uint64_t claimed = 0;
      while (claimed < count && model.insert(first + claimed).second) ++claimed;
      EXPECT_EQ(bitmap.ClaimPrefix(Stretch(first, count)), Stretch(first, claimed));
    } else if (step % 50 == 1) {
      for (uint64_t page = 0; page < kSize; ++page) bitmap.Clear(PageIndex{page});
      model.clear();
    }
    const PageRun next = bitmap.NextSet(Stretch(first, count));
    const auto expected = model.lower_bound(first);
    const bool any = expected != model.end() && *expected < first + count;
    EXPECT_EQ(next.first.value, any ? *expected : first + count);
    EXPECT_EQ(bitmap.CountSet().count, model.size());
  }
}

TEST(PageBitmapTest, EachPageIsClaimedByExactlyOneOfTwoThreads) {
  constexpr uint64_t kSize = 100'000;
  PageBitmap bitmap(Pages{kSize});
  std::vector<uint64_t> claimed(2);
  auto claim_all = [&](size_t who, uint64_t chunk) {
    for (uint64_t at = 0; at < kSize;) {
      const PageRun run = bitmap.ClaimPrefix(Stretch(at, std::min(chunk, kSize - at)));
      claimed[who] += run.count.count;
      at += std::max<uint64_t>(1, run.count.count);
    }
  };
  std::thread other([&] { claim_all(1, 1); });
  claim_all(0, 64);
  other.join();
  EXPECT_EQ(claimed[0] + claimed[1], kSize);
}

TEST(PageBitmapTest, TerabytesOfReservedPagesCostNothing) {
  PageBitmap bitmap(ToPages(GiB(16 * 1024)));
  const PageIndex far{ToPages(GiB(16 * 1024)).count - 1};
  EXPECT_TRUE(bitmap.TestAndSet(far));
  EXPECT_TRUE(bitmap.Test(far));
}

}  // namespace
}  // namespace stillframe
