// What the kernel tells of an io_uring's registered buffers.
#include "sys/uring_buffers.h"

#include <gtest/gtest.h>

#include <string>

namespace stillframe {
namespace {

constexpr AddressRange kOnePage{TargetAddress{0x7fead5714000}, TargetAddress{0x7fead5715000}};

TEST(UringBuffers, ARingWithoutBuffersHasNone) {
  const auto none = ParseUringBuffers("pos:\t0\nUserFiles:\t0\nUserBufs:\t0\nPollList:\n");
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(none->empty());
}

TEST(UringBuffers, BuffersAreWidenedToWholePages) {
  const auto buffers = ParseUringBuffers(
      "SqMask:\t0x7\nUserBufs:\t2\n    0: 0x7fead5714000/4096\n    1: "
      "0x7fead5713fff/2\nPollList:\n");
  ASSERT_TRUE(buffers.has_value());
  ASSERT_EQ(buffers->size(), 2u);
  EXPECT_EQ(buffers->at(0), kOnePage);
  EXPECT_EQ(buffers->at(1).begin.value, 0x7fead5713000u);
  EXPECT_EQ(buffers->at(1).end, kOnePage.end);
}

TEST(UringBuffers, EmptyPlacesAndTheKernelsOwnBuffersAreNoRanges) {
  const auto buffers =
      ParseUringBuffers("UserBufs:\t3\n    0: <none>\n    1: 0x0/4096\n    2: 0x7fead5714000/1\n");
  ASSERT_TRUE(buffers.has_value());
  ASSERT_EQ(buffers->size(), 1u);
  EXPECT_EQ(buffers->front(), kOnePage);
}

TEST(UringBuffers, AListThatTheKernelCouldNotGiveIsNotAnEmptyOne) {
  EXPECT_FALSE(ParseUringBuffers("").has_value());
  EXPECT_FALSE(ParseUringBuffers("SqMask:\t0x7\nSqHead:\t0\n").has_value());
  EXPECT_FALSE(ParseUringBuffers("UserBufs:\t1\nPollList:\n").has_value());
  EXPECT_FALSE(ParseUringBuffers("UserBufs:\t2\n    0: 0x1000/4096\n").has_value());
}

TEST(UringBuffers, NumbersThatMakeNoSenseAreRefused) {
  for (const std::string line :
       {"    0: 0x/4096", "    0: 0x1000/", "    0: 0x1000/4096x", "    0: 1000/4096",
        "    0: 0xffffffffffffffff/4096", "    0: 0x1000/99999999999999999999", "x"}) {
    EXPECT_FALSE(ParseUringBuffers("UserBufs:\t1\n" + line + "\n").has_value()) << line;
  }
  EXPECT_FALSE(ParseUringBuffers("UserBufs:\tx\n").has_value());
}

}  // namespace
}  // namespace stillframe
