#include <gtest/gtest.h>

#include "evaluate/simulator/memory.h"
#include "evaluate/simulator/output.h"

namespace stillframe::evaluate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SimulatedOutputTest, AWriteTakesAsLongAsItsBytes) {
  SimulatedOutput output({.name = "", .phases = {{.length = seconds(1), .bytes_per_ns = 1}}});
  EXPECT_EQ(output.Write(Duration(0), Bytes{1000}), Duration(1000));
  EXPECT_EQ(output.Write(Duration(500), Bytes{1000}), Duration(2000)) << "behind the one before";
  EXPECT_EQ(output.Write(seconds(3), Bytes{1000}), seconds(3) + Duration(1000));
}

TEST(SimulatedOutputTest, WhatFitsTheBufferIsNotWaitedFor) {
  SimulatedOutput output(
      {.name = "", .phases = {{.length = seconds(1), .bytes_per_ns = 1}}, .buffer = Bytes{1500}});
  EXPECT_EQ(output.Write(Duration(0), Bytes{1000}), Duration(0));
  EXPECT_EQ(output.Write(Duration(0), Bytes{1000}), Duration(500));
}

TEST(SimulatedOutputTest, AStallIsWaitedOutAndComesAgain) {
  OutputModel model = StallingOutput("", 1e9, milliseconds(50), milliseconds(250));
  model.buffer = {};
  SimulatedOutput output(model);
  EXPECT_EQ(output.Write(milliseconds(199), Bytes{2'000'000}), milliseconds(251));
  EXPECT_EQ(output.Write(milliseconds(460), Bytes{1'000'000}), milliseconds(501));
  EXPECT_EQ(output.Write(milliseconds(600), Bytes{1'000'000}), milliseconds(601));
}

TEST(SimulatedOutputTest, StepsOfBandwidthAreFollowed) {
  SimulatedOutput output({.name = "",
                          .phases = {{.length = milliseconds(1), .bytes_per_ns = 2},
                                     {.length = milliseconds(1), .bytes_per_ns = 1}}});
  EXPECT_EQ(output.Write(Duration(0), Bytes{2'500'000}), milliseconds(1) + Duration(500'000));
  EXPECT_EQ(output.Write(milliseconds(2), Bytes{3'000'000}), milliseconds(4));
}

TEST(SimulatedMemoryTest, RunsEndAtSavedPagesAndAtTheEnd) {
  SimulatedMemory memory(200, 0);
  memory.Save(70);
  memory.Save(130);
  EXPECT_EQ(memory.UnsavedRun(0, 1000), 70u);
  EXPECT_EQ(memory.UnsavedRun(0, 64), 64u);
  EXPECT_EQ(memory.UnsavedRun(70, 1000), 0u);
  EXPECT_EQ(memory.UnsavedRun(131, 1000), 69u);
  EXPECT_EQ(memory.NextUnsaved(70, 200), 71u);
  EXPECT_EQ(memory.NextUnsaved(130, 131), 131u);
  EXPECT_EQ(memory.unsaved(), 198u);
}

class SimulatedMemoryOfKind : public testing::TestWithParam<double> {};

TEST_P(SimulatedMemoryOfKind, PagesThatArePickedAreUnsavedAndAllOfThemAreFoundInTheEnd) {
  SimulatedMemory memory(1000, GetParam());
  Random random(1);
  double before = memory.HitProbability();
  EXPECT_NEAR(before, 1, 1e-9);
  uint64_t tries = 0;
  while (memory.unsaved() > 0 && ++tries < 1'000'000) {
    const auto page = memory.PickUnsaved(random);
    if (!page) continue;
    ASSERT_LT(*page, 1000u);
    ASSERT_FALSE(memory.IsSaved(*page));
    memory.Save(*page);
    EXPECT_LE(memory.HitProbability(), before + 1e-9);
    before = memory.HitProbability();
  }
  EXPECT_EQ(memory.unsaved(), 0u);
  EXPECT_EQ(memory.HitProbability(), 0);
}

INSTANTIATE_TEST_SUITE_P(UniformAndSkewed, SimulatedMemoryOfKind, testing::Values(0.0, 0.99, 1.5));

TEST(SimulatedMemoryTest, AFewPagesOfASkewedMemoryTakeMostOfTheWrites) {
  SimulatedMemory memory(100'000, 0.99);
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    if (const auto page = memory.PickUnsaved(random)) memory.Save(*page);
  }
  // A hundredth of the pages, and of a uniform memory a hundredth of the writes.
  EXPECT_LT(memory.HitProbability(), 0.7);
}

}  // namespace
}  // namespace stillframe::evaluate
