#include "sys/maps_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace stillframe {
namespace {

std::vector<Mapping> Parse(const std::string& text) {
  auto mappings = ParseMaps(text);
  EXPECT_TRUE(mappings.has_value()) << mappings.error().message;
  return mappings.value_or(std::vector<Mapping>());
}

TEST(MapsParser, NothingIsNothing) { EXPECT_TRUE(Parse("").empty()); }

TEST(MapsParser, EveryFieldOfALine) {
  const auto mappings = Parse(
      "7f0000001000-7f0000003000 r-xs 0000a000 fd:1f 4711                       /lib/a b.so\n");
  ASSERT_EQ(mappings.size(), 1u);
  const Mapping& m = mappings[0];
  EXPECT_EQ(m.range, (AddressRange{{0x7f0000001000}, {0x7f0000003000}}));
  EXPECT_TRUE(m.readable && !m.writable && m.executable && m.shared);
  EXPECT_EQ(m.file_offset, 0xa000u);
  EXPECT_EQ(m.device_major, 0xfdu);
  EXPECT_EQ(m.device_minor, 0x1fu);
  EXPECT_EQ(m.inode, 4711u);
  EXPECT_EQ(m.name, "/lib/a b.so");
  EXPECT_FALSE(m.has_details);
}

TEST(MapsParser, NamesWithNewlinesBlanksAndDeleted) {
  const std::string prefix = " rw-p 00000000 00:01 7 ";
  const auto mappings =
      Parse("1000-2000" + prefix + "     /tmp/a\\012b (deleted)\n" +  //
            "2000-3000" + prefix + "\n" +                             //
            "3000-4000" + prefix + "     [anon:my heap]\n" +          //
            "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n");
  ASSERT_EQ(mappings.size(), 4u);
  EXPECT_EQ(mappings[0].name, "/tmp/a\nb (deleted)");
  EXPECT_EQ(mappings[1].name, "");
  EXPECT_EQ(mappings[2].name, "[anon:my heap]");
  EXPECT_EQ(mappings[3].name, "[vsyscall]");
}

TEST(MapsParser, LastLineWithoutNewline) {
  EXPECT_EQ(Parse("1000-2000 rw-p 00000000 00:00 0").size(), 1u);
}

TEST(MapsParser, SmapsFillsTheDetails) {
  const auto mappings = Parse(
      "200000-400000 rw-p 00000000 00:10 9    /anon_hugepage (deleted)\n"
      "Size:               2048 kB\n"
      "KernelPageSize:     2048 kB\n"
      "MMUPageSize:        2048 kB\n"
      "Rss:                  12 kB\n"
      "Anonymous:             8 kB\n"
      "Swap:                  4 kB\n"
      "SwapPss:               0 kB\n"
      "THPeligible:           0\n"
      "VmFlags: rd wr mr mw me de ht dd io uw\n"
      "400000-401000 r--p 00000000 00:00 0\n"
      "Rss:                   0 kB\n"
      "VmFlags: rd mr\n");
  ASSERT_EQ(mappings.size(), 2u);
  const Mapping& m = mappings[0];
  EXPECT_TRUE(m.has_details && m.hugetlb && m.dont_dump && m.io && m.tracked);
  EXPECT_EQ(m.kernel_page_size, MiB(2));
  EXPECT_EQ(m.resident, KiB(12));
  EXPECT_EQ(m.anonymous, KiB(8));
  EXPECT_EQ(m.swapped, KiB(4));
  EXPECT_TRUE(mappings[1].has_details);
  EXPECT_FALSE(mappings[1].hugetlb || mappings[1].dont_dump || mappings[1].io ||
               mappings[1].tracked);
  EXPECT_EQ(mappings[1].kernel_page_size, kPageSize);
}

TEST(MapsParser, EachWayToBeTracked) {
  for (const std::string flag : {"um", "uw", "ui"}) {
    EXPECT_TRUE(Parse("1000-2000 rw-p 00000000 00:00 0\nVmFlags: rd " + flag + "\n")[0].tracked);
  }
}

TEST(MapsParser, ThousandsOfLines) {
  std::string text;
  constexpr uint64_t kLines = 30'000;
  for (uint64_t i = 1; i <= kLines; ++i) {
    char line[128];
    std::snprintf(line, sizeof(line), "%lx-%lx rw-p 00000000 00:00 0 \n", i << 16,
                  (i << 16) + 4096);
    text += line;
  }
  const auto mappings = Parse(text);
  ASSERT_EQ(mappings.size(), kLines);
  EXPECT_EQ(mappings.back().range.begin.value, kLines << 16);
}

TEST(MapsParser, MappingsThatChangedBetweenTwoReadsCountAsTheyWereLast) {
  const std::string rest = " rw-p 00000000 00:00 0 \n";
  const auto mappings = Parse("1000-5000" + rest + "6000-7000" + rest + "4000-8000" + rest);
  ASSERT_EQ(mappings.size(), 2u);
  EXPECT_EQ(mappings[0].range, (AddressRange{{0x1000}, {0x4000}}));
  EXPECT_EQ(mappings[1].range, (AddressRange{{0x4000}, {0x8000}}));
}

TEST(MapsParser, TextThatTheKernelDoesNotWriteIsAnError) {
  const std::string good = "1000-2000 rw-p 00000000 00:00 0 \n";
  for (const std::string& text : {
           std::string("\n"),
           std::string("hello\n"),
           std::string("1000\n"),
           std::string("1000-\n"),
           std::string("2000-1000 rw-p 00000000 00:00 0 \n"),
           std::string("1000-1000 rw-p 00000000 00:00 0 \n"),
           std::string("1001-2000 rw-p 00000000 00:00 0 \n"),
           std::string("1000-11111111111111111111 rw-p 00000000 00:00 0 \n"),
           std::string("1000-2000 rwzp 00000000 00:00 0 \n"),
           std::string("1000-2000 rw-p 00000000 00:00\n"),
           std::string("1000-2000 rw-p 00000000 00:00 0x\n"),
           std::string("Rss: 4 kB\n"),
           good + "Rss: four kB\n",
           good + "Rss: 4 MB\n",
           good + "Rss: 99999999999999999999 kB\n",
           good + "KernelPageSize: 0 kB\n",
           good + "KernelPageSize: 5 kB\n",
           good + "No colon here\n",
           std::string("1000-2000\0rw-p", 14),
       }) {
    const auto mappings = ParseMaps(text);
    ASSERT_FALSE(mappings.has_value()) << text;
    EXPECT_EQ(mappings.error().code, ErrorCode::kInternal);
  }
}

TEST(MapsParser, EveryCutOfAGoodTextIsTakenOrRefusedButNeverMisread) {
  const std::string text =
      "1000-2000 rw-p 00000000 00:00 0                  [heap]\nRss:     4 kB\nVmFlags: rd wr dd\n";
  for (size_t length = 0; length <= text.size(); ++length) {
    const auto mappings = ParseMaps(text.substr(0, length));
    if (mappings && !mappings->empty()) {
      EXPECT_EQ(mappings->at(0).range.begin.value, 0x1000u);
    }
  }
}

}  // namespace
}  // namespace stillframe
