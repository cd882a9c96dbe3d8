// A page is zero when no bit of it is set, whichever way it is looked at.
#include <gtest/gtest.h>

#include <vector>

#include "image/zero_scan.h"
#include "stillframe/units.h"

namespace stillframe {
namespace {

using IsZero = bool (*)(const std::byte*);

class ZeroScanTest : public testing::TestWithParam<IsZero> {
 protected:
  void SetUp() override {
    if (GetParam() == IsZeroPageAvx2 && !HasAvx2()) GTEST_SKIP() << "this CPU has no AVX2";
  }
};

TEST_P(ZeroScanTest, OneByteAnywhereIsSeen) {
  // One byte more than a page, to look at one that starts at an odd address.
  std::vector<std::byte> memory(kPageSize.count + 1);
  std::byte* page = memory.data() + 1;
  EXPECT_TRUE(GetParam()(page));
  for (size_t i = 0; i < kPageSize.count; ++i) {
    page[i] = std::byte{0x80};
    ASSERT_FALSE(GetParam()(page)) << i;
    page[i] = std::byte{0};
  }
  EXPECT_TRUE(GetParam()(page));
}

TEST_P(ZeroScanTest, TheBytesAroundThePageDoNotCount) {
  std::vector<std::byte> memory(kPageSize.count + 2);
  memory.front() = memory.back() = std::byte{0xff};
  EXPECT_TRUE(GetParam()(memory.data() + 1));
}

INSTANTIATE_TEST_SUITE_P(EachWay, ZeroScanTest,
                         testing::Values(IsZeroPage, IsZeroPagePortable, IsZeroPageAvx2));

}  // namespace
}  // namespace stillframe
