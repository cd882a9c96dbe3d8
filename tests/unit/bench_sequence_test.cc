#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <vector>

#include "evaluate/bench/sequence.h"

namespace stillframe::evaluate {
namespace {

constexpr WriteSpread kSpreads[] = {WriteSpread::kUniform, WriteSpread::kZipf,
                                    WriteSpread::kSequential};

std::vector<uint64_t> Take(WriteSpread spread, uint64_t pages, uint64_t seed, size_t count) {
  const auto sequence = MakeWriteSequence(spread, pages, seed);
  std::vector<uint64_t> taken;
  for (size_t i = 0; i < count; ++i) taken.push_back(sequence->Next());
  return taken;
}

TEST(BenchSequenceTest, TheSameSeedGivesTheSamePages) {
  for (const WriteSpread spread : kSpreads) {
    EXPECT_EQ(Take(spread, 1000, 5, 5000), Take(spread, 1000, 5, 5000));
  }
}

TEST(BenchSequenceTest, AnotherSeedGivesOthers) {
  for (const WriteSpread spread : {WriteSpread::kUniform, WriteSpread::kZipf}) {
    EXPECT_NE(Take(spread, 1000, 5, 5000), Take(spread, 1000, 6, 5000));
  }
}

TEST(BenchSequenceTest, NoPageIsOutside) {
  for (const WriteSpread spread : kSpreads) {
    for (const auto pages : std::initializer_list<uint64_t>{1, 2, 3, 7, 1000, 65536}) {
      const auto taken = Take(spread, pages, 1, 20000);
      EXPECT_LT(*std::max_element(taken.begin(), taken.end()), pages);
    }
  }
}

TEST(BenchSequenceTest, SequentialGoesRound) {
  EXPECT_EQ(Take(WriteSpread::kSequential, 3, 1, 5), (std::vector<uint64_t>{0, 1, 2, 0, 1}));
}

TEST(BenchSequenceTest, UniformComesToNearlyAllPages) {
  auto taken = Take(WriteSpread::kUniform, 1000, 1, 20000);
  std::sort(taken.begin(), taken.end());
  taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
  EXPECT_GT(taken.size(), 990U);
}

TEST(BenchSequenceTest, ZipfHalvesFromTheFirstToTheSecondAndScattersThem) {
  constexpr size_t kWrites = 200'000;
  std::map<uint64_t, size_t> counts;
  for (const uint64_t page : Take(WriteSpread::kZipf, 10'000, 1, kWrites)) ++counts[page];
  std::vector<std::pair<size_t, uint64_t>> ranked;
  for (const auto& [page, count] : counts) ranked.emplace_back(count, page);
  std::sort(ranked.rbegin(), ranked.rend());
  // 1/1^0.99 over the sum of 1/i^0.99 up to 10,000, which is 10.22: 9.8%; half of it for the next.
  EXPECT_NEAR(static_cast<double>(ranked[0].first), 0.098 * kWrites, 0.005 * kWrites);
  EXPECT_NEAR(static_cast<double>(ranked[1].first), 0.049 * kWrites, 0.005 * kWrites);
  EXPECT_GT(
      std::max(ranked[0].second, ranked[1].second) - std::min(ranked[0].second, ranked[1].second),
      100U);
}

}  // namespace
}  // namespace stillframe::evaluate
