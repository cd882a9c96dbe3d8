#include <gtest/gtest.h>

#include <array>

#include "cli/option_value.h"

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Limits<Bytes> kAnySize = {Bytes{0}, Bytes{UINT64_MAX}};
constexpr Limits<Duration> kAnyTime = {Duration(0), std::chrono::hours(1)};

TEST(ParseSize, SuffixesArePowersOf1024) {
  EXPECT_EQ(ParseSize("--stage", "4096", kAnySize), Bytes{4096});
  EXPECT_EQ(ParseSize("--stage", "64K", kAnySize), KiB(64));
  EXPECT_EQ(ParseSize("--stage", "200M", kAnySize), MiB(200));
  EXPECT_EQ(ParseSize("--stage", "1g", kAnySize), GiB(1));
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text : {"", "K", "-1", "+1", " 1", "1 ", "1KB", "1KiB", "1.5G", "0x10", "1T",
                           "M1", "18446744073709551616", "17179869184G"}) {
    const auto size = ParseSize("--stage", text, kAnySize);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code, ErrorCode::kUsage) << text;
  }
}

TEST(ParseSize, BothEndsOfTheRangeAreAccepted) {
  const Limits<Bytes> limits = {MiB(1), GiB(64)};
  EXPECT_TRUE(ParseSize("--stage", "1M", limits));
  EXPECT_TRUE(ParseSize("--stage", "64G", limits));
  EXPECT_FALSE(ParseSize("--stage", "1048575", limits));
  const auto above = ParseSize("--stage", "65G", limits);
  ASSERT_FALSE(above);
  EXPECT_EQ(
      above.error().message,
      "--stage \"65G\" is not accepted: give a size in bytes or with K, M or G (powers of 1024) "
      "from 1M to 64G");
}

TEST(ParseDuration, TakesMicrosecondsMillisecondsAndSeconds) {
  EXPECT_EQ(ParseDuration("--max-stall", "500us", kAnyTime), Duration(microseconds(500)));
  EXPECT_EQ(ParseDuration("--max-stall", "5ms", kAnyTime), Duration(milliseconds(5)));
  EXPECT_EQ(ParseDuration("--max-stall", "10s", kAnyTime), Duration(seconds(10)));
}

TEST(ParseDuration, ABareNumberIsRefusedAndTheUnitsNamed) {
  const auto bare = ParseDuration("--max-stall", "5", {milliseconds(1), seconds(60)});
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error().code, ErrorCode::kUsage);
  EXPECT_EQ(bare.error().message,
            "--max-stall \"5\" is not accepted: give a duration with its unit us, ms or s from 1ms "
            "to 60s");
}

TEST(ParseDuration, RefusesWhatIsNoneOrOutsideTheRange) {
  for (const char* text : {"", "ms", "-5ms", "5 ms", "5m", "5MS", "1.5s", "3601s",
                           "9223372036854775807s", "18446744073709551615us"}) {
    EXPECT_FALSE(ParseDuration("--max-stall", text, kAnyTime)) << text;
  }
  EXPECT_FALSE(ParseDuration("--max-stall", "999us", {milliseconds(1), seconds(1)}));
  EXPECT_TRUE(ParseDuration("--max-stall", "1ms", {milliseconds(1), seconds(1)}));
  EXPECT_TRUE(ParseDuration("--max-stall", "1s", {milliseconds(1), seconds(1)}));
}

TEST(ParseNumber, TakesDecimalAndHexadecimal) {
  EXPECT_EQ(ParseNumber("ADDRESS", "4096"), 4096u);
  EXPECT_EQ(ParseNumber("ADDRESS", "0x1000"), 4096u);
  EXPECT_EQ(ParseNumber("ADDRESS", "0XfF"), 255u);
  EXPECT_EQ(ParseNumber("ADDRESS", "0xffffffffffffffff"), UINT64_MAX);
  for (const char* text : {"", "0x", "ff", "0x-1", "-1", "1 ", "0x10000000000000000"}) {
    EXPECT_FALSE(ParseNumber("ADDRESS", text)) << text;
  }
}

TEST(ParsePid, RefusesWhatCanBeNoProcess) {
  EXPECT_EQ(ParsePid("1"), 1);
  EXPECT_EQ(ParsePid("4194304"), 4194304);
  for (const char* text : {"", "0", "-1", "4194305", "99999999999", "12x", "self"}) {
    EXPECT_FALSE(ParsePid(text)) << text;
  }
}

TEST(ParseCount, KeepsToItsRange) {
  EXPECT_EQ(ParseCount("--poll-count", "200", {1, 1000}), 200u);
  for (const char* text : {"", "0", "1001", "1K", "0x1"}) {
    EXPECT_FALSE(ParseCount("--poll-count", text, {1, 1000})) << text;
  }
}

TEST(ParseChoice, NamesTheChoices) {
  constexpr std::array<std::string_view, 2> kChoices = {"skip", "off"};
  EXPECT_EQ(ParseChoice("--throttle", "off", kChoices), "off");
  const auto other = ParseChoice("--throttle", "fast", kChoices);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message, "--throttle \"fast\" is not accepted: give one of skip off");
}

}  // namespace
}  // namespace stillframe
