#include "track/write_streams.h"

#include <gtest/gtest.h>

namespace stillframe {
namespace {

PageRun Stretch(uint64_t first, uint64_t count) { return {PageIndex{first}, Pages{count}}; }

// Faults on each page that is not open yet, in order; how many faults that takes.
uint64_t WriteInOrder(WriteStreams* streams, uint64_t first, uint64_t pages) {
  uint64_t faults = 0;
  for (uint64_t at = first; at < first + pages; ++faults) {
    const Pages wanted = streams->Wanted(PageIndex{at});
    streams->Opened({PageIndex{at}, wanted});
    at += wanted.count;
  }
  return faults;
}

TEST(WriteStreamsTest, AWriterInOrderIsGivenTwiceAsManyEachTime) {
  WriteStreams streams;
  EXPECT_EQ(streams.Wanted(PageIndex{100}), Pages{1});
  streams.Opened(Stretch(100, 1));
  EXPECT_EQ(streams.Wanted(PageIndex{101}), Pages{2});
  streams.Opened(Stretch(101, 2));
  EXPECT_EQ(streams.Wanted(PageIndex{103}), Pages{4});
}

TEST(WriteStreamsTest, AWriterInOrderFaultsOnFewOfItsPages) {
  WriteStreams streams;
  EXPECT_LE(WriteInOrder(&streams, 5000, 10'000), 10'000u / 16);
}

TEST(WriteStreamsTest, ItGrowsToItsLimitAndNoFurther) {
  WriteStreams streams;
  uint64_t at = 0;
  for (int i = 0; i < 20; ++i) {
    const Pages wanted = streams.Wanted(PageIndex{at});
    ASSERT_LE(wanted, WriteStreams::kMost);
    streams.Opened({PageIndex{at}, wanted});
    at += wanted.count;
  }
  EXPECT_EQ(streams.Wanted(PageIndex{at}), WriteStreams::kMost);
}

TEST(WriteStreamsTest, AWriterHereAndThereIsGivenOnePage) {
  WriteStreams streams;
  for (uint64_t i = 0; i < 100; ++i) {
    const PageIndex page{(i * 7919) % 100'000 * 1000};
    ASSERT_EQ(streams.Wanted(page), Pages{1});
    streams.Opened({page, Pages{1}});
  }
}

TEST(WriteStreamsTest, OneThatGotLessThanItWantedIsGivenLessNextTime) {
  WriteStreams streams;
  streams.Opened(Stretch(0, 32));
  ASSERT_EQ(streams.Wanted(PageIndex{32}), Pages{64});
  streams.Opened(Stretch(32, 1));  // the next one was saved already, or there was no room
  EXPECT_EQ(streams.Wanted(PageIndex{33}), Pages{2});
}

TEST(WriteStreamsTest, OneGoesOnBehindPagesThatDidNotFault) {
  WriteStreams streams;
  streams.Opened(Stretch(0, 16));
  EXPECT_EQ(streams.Wanted(PageIndex{80}), Pages{32});
  EXPECT_EQ(streams.Wanted(PageIndex{16 + WriteStreams::kReach.count}), Pages{1});
}

TEST(WriteStreamsTest, SeveralWritersInOrderDoNotDisturbEachOther) {
  WriteStreams streams;
  uint64_t faults = 0;
  std::array<uint64_t, 8> at{};
  for (uint64_t i = 0; i < at.size(); ++i) at[i] = i * 1'000'000;
  for (int turn = 0; turn < 100; ++turn) {
    for (uint64_t& page : at) {
      const Pages wanted = streams.Wanted(PageIndex{page});
      streams.Opened({PageIndex{page}, wanted});
      page += wanted.count;
      ++faults;
    }
  }
  uint64_t pages = 0;
  for (uint64_t i = 0; i < at.size(); ++i) pages += at[i] - i * 1'000'000;
  EXPECT_LE(faults, pages / 16);
}

}  // namespace
}  // namespace stillframe
