#include <gtest/gtest.h>

#include "report/conversion_report.h"

namespace stillframe {
namespace {

ConvertedImage MakeCore() {
  return {.pid = 4711,
          .instant_unix_ns = 1'714'566'896'789'000'000,
          .memory = MiB(1),
          .pages = {.zero = {100},
                    .scanned = {140},
                    .faulted = {10},
                    .paused = {5},
                    .lost = {1},
                    .written = KiB(620)},
          .skipped = {{{{0x1000}, {0x3000}}, "io"}},
          .lost = {{{{0x5000}, {0x6000}}, "unmapped"}}};
}

TEST(ConversionReport, JsonHasEachField) {
  EXPECT_EQ(ConvertedToJson(MakeCore(), "a.sfi", "core"), Json::parse(R"({
    "schema": 1, "verb": "core", "pid": 4711, "image": "core", "format": "core", "from": "a.sfi",
    "instant_unix_ns": 1714566896789000000, "memory_bytes": 1048576, "image_bytes": 634880,
    "pages": {"total": 256, "zero": 100, "scanned": 140, "faulted": 10, "paused": 5, "lost": 1},
    "skipped": [{"begin": "0x1000", "end": "0x3000", "reason": "io"}],
    "lost": [{"begin": "0x5000", "end": "0x6000", "reason": "unmapped"}]
  })"));
}

TEST(ConversionReport, TextSaysWhoseAndWhatIsMissing) {
  const std::string common =
      "core of process 4711 written to core from a\\x0ab\n"
      "  instant   2024-05-01T12:34:56.789Z\n"
      "  pages     256: 100 zero, 155 data, 1 lost\n"
      "  sizes     memory 1.00 MiB, core 620 KiB\n"
      "  lost      4.00 KiB in 1 ranges\n"
      "    0x5000-0x6000  4.00 KiB  unmapped\n";
  EXPECT_EQ(ConvertedToText(MakeCore(), "a\nb", "core", false), common);
  EXPECT_EQ(ConvertedToText(MakeCore(), "a\nb", "core", true),
            common + "  skipped   1\n    0x1000-0x3000  8.00 KiB  io\n");
}

}  // namespace
}  // namespace stillframe
