// The account of a core's pages: what was said last of each, in little memory, and never in more
// than it may have.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "peer/core/page_states.h"

namespace stillframe {
namespace {

constexpr uint64_t kStretch = MiB(128).count / kPageSize.count;
const PageState kScanned = PageState::Data(PageSource::kScanned);
const PageState kFaulted = PageState::Data(PageSource::kFaulted);

std::vector<PageState> Told(const PageStates& states, uint64_t first, uint64_t count) {
  std::vector<PageState> told;
  const auto append = [&](const PageStates::Run& run) -> Result<void> {
    EXPECT_EQ(run.first, first + told.size());
    told.insert(told.end(), run.count, run.state);
    return {};
  };
  EXPECT_TRUE(ForEachRun(states, first, count, append));
  return told;
}

TEST(PageStates, WhatWasSaidLastHoldsOfEachPage) {
  constexpr uint64_t kPages = 3 * kStretch;
  PageStates states;
  std::vector<PageState> expected(kPages);
  std::mt19937_64 random(7);
  const std::vector<PageState> choice = {PageState(), PageState::Zero(),  kScanned,
                                         kFaulted,    PageState::Lost(0), PageState::Lost(249)};
  for (int i = 0; i < 2000; ++i) {
    // Of one page up to more than a stretch, often with an end where a piece has one.
    uint64_t first = random() % kPages;
    uint64_t count = 1 + random() % (uint64_t{1} << (random() % 17));
    if (i % 3 == 0) first = first / 512 * 512;
    if (i % 2 == 0) count = (count + 511) / 512 * 512;
    count = std::min(count, kPages - first);
    const PageState state = choice[random() % choice.size()];
    ASSERT_TRUE(states.Set(first, count, state));
    std::fill_n(expected.begin() + static_cast<ptrdiff_t>(first), count, state);
    if (i % 100 == 0) {
      ASSERT_EQ(Told(states, 0, kPages), expected);
    }
  }
  EXPECT_EQ(Told(states, 0, kPages), expected);
  EXPECT_EQ(Told(states, kPages, 5), std::vector<PageState>(5));
  // And all of it is given back.
  const Bytes table = states.memory();
  ASSERT_TRUE(states.Set(0, kPages, kScanned));
  EXPECT_LT(states.memory(), Bytes{256});
  EXPECT_GT(table, states.memory());
}

TEST(PageStates, MemoryThatIsScannedPieceByPieceCostsNextToNothing) {
  constexpr uint64_t kPages = GiB(64).count / kPageSize.count;
  PageStates states;
  Bytes most;
  for (uint64_t first = 0; first < kPages; first += 100) {
    ASSERT_TRUE(states.Set(first, std::min<uint64_t>(100, kPages - first), kScanned));
    most = std::max(most, states.memory());
  }
  EXPECT_LT(most, KiB(32));
  EXPECT_LE(states.RunAt(5, kPages).count, kPages);
  EXPECT_EQ(states.RunAt(5, kPages).state, kScanned);
}

TEST(PageStates, APageTouchedNowAndThenIn300GiBCostsFewMegabytes) {
  constexpr uint64_t kStretches = 2400;
  PageStates states;
  for (uint64_t i = 0; i < kStretches; ++i) {
    ASSERT_TRUE(states.Set(i * kStretch, kStretch, PageState::Zero()));
    ASSERT_TRUE(states.Set(i * kStretch + 777, 1, kFaulted));
  }
  EXPECT_LT(states.memory(), MiB(4));
  for (uint64_t i = 0; i < kStretches; ++i) {
    ASSERT_EQ(states.RunAt(i * kStretch + 777, kStretches * kStretch).count, 1u);
  }
}

TEST(PageStates, ItNeverTakesMoreThanItMay) {
  constexpr Bytes kMost = MiB(16);
  constexpr uint64_t kPages = uint64_t{1} << 35;  // 2^47 bytes
  PageStates states(kMost);
  Result<void> set;
  uint64_t runs = 0;
  for (uint64_t first = 0; set && first < kPages; first += 512, ++runs) {
    set = states.Set(first, 256, PageState::Zero());
    if (set) set = states.Set(first + 256, 256, kScanned);
    ASSERT_LE(states.memory(), kMost);
  }
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::kLimit);
  EXPECT_NE(set.error().message.find("16 MiB"), std::string::npos) << set.error().message;
  EXPECT_NE(set.error().hint.find("--filter"), std::string::npos) << set.error().hint;
  EXPECT_GT(runs, kMost.count / 600);
}

TEST(PageStates, ATableThatIsTooLongIsRefusedBeforeItIsMade) {
  PageStates states(KiB(64));
  const auto set = states.Set((uint64_t{1} << 36) - 1, 1, kScanned);
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::kLimit);
  EXPECT_EQ(states.memory().count, 0u);
}

}  // namespace
}  // namespace stillframe
