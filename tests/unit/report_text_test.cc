#include <gtest/gtest.h>

#include "report/text.h"

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(Text, BytesHaveThreeDigitsAndAUnit) {
  EXPECT_EQ(FormatBytes(Bytes{0}), "0 B");
  EXPECT_EQ(FormatBytes(Bytes{1023}), "1023 B");
  EXPECT_EQ(FormatBytes(KiB(1)), "1.00 KiB");
  EXPECT_EQ(FormatBytes(MiB(64)), "64.0 MiB");
  EXPECT_EQ(FormatBytes(Bytes{GiB(1).count + MiB(512).count}), "1.50 GiB");
  EXPECT_EQ(FormatBytes(Bytes{UINT64_MAX}), "16.0 EiB");
}

TEST(Text, DurationsChooseTheirUnit) {
  EXPECT_EQ(FormatDuration(nanoseconds(999)), "0 us");
  EXPECT_EQ(FormatDuration(microseconds(87)), "87 us");
  EXPECT_EQ(FormatDuration(microseconds(4210)), "4.21 ms");
  EXPECT_EQ(FormatDuration(milliseconds(12'300)), "12.3 s");
  EXPECT_EQ(FormatDuration(nanoseconds(-5)), "0 us");
}

TEST(Text, AddressesAreHexadecimal) {
  EXPECT_EQ(FormatAddress({0}), "0x0");
  EXPECT_EQ(FormatRange({{0x1000}, {UINT64_MAX}}), "0x1000-0xffffffffffffffff");
}

TEST(Text, CountsAreGroupedByThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1'000), "1,000");
  EXPECT_EQ(FormatCount(1'234'567), "1,234,567");
}

TEST(Text, NamesOfTheTargetCantSteerTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[2J\nb\x7f"), "a\\x1b[2J\\x0ab\\x7f");
  EXPECT_EQ(Printable("h\xc3\xa9"), "h\xc3\xa9");
}

}  // namespace
}  // namespace stillframe
