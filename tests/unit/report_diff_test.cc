#include <gtest/gtest.h>

#include "diff_image.h"
#include "report/diff_report.h"
#include "report/html_data.h"

namespace stillframe {
namespace {

using test::DiffImage;

// Two images of a heap, of a mapping that went and of one that came, and what differs.
struct Sample {
  Sample() {
    for (DiffImage* image : {&a, &b}) {
      image->AddFile(1, true);
      image->facts().process.pid = 42;
      image->facts().host = "here";
      image->facts().instant_unix_ns = 1'700'000'000'000'000'000;
    }
    b.facts().instant_unix_ns += 1'000'000'000;
    a.AddMapping(0x10000, 4, "[heap]");
    a.AddMapping(0x20000, 1, "/went\n");
    b.AddMapping(0x10000, 4, "[heap]");
    b.AddMapping(0x14000, 2, "");
    diff.ranges = {{{{0x11000}, {0x12000}}, Difference::kChanged},
                   {{{0x13000}, {0x14000}}, Difference::kLost},
                   {{{0x14000}, {0x16000}}, Difference::kOnlyB},
                   {{{0x20000}, {0x21000}}, Difference::kOnlyA}};
    diff.equal = {2};
    diff.changed = {1};
    diff.lost = {1};
    diff.only_b = {2};
    diff.only_a = {1};
    diff.same_block = {5};
    diff.by_hash = {6};
    diff.by_bytes = {7};
  }

  DiffImage a;
  DiffImage b;
  ImageDiff diff;
  DiffedImages images{a, b, "a.img", "b.img"};
};

TEST(DiffReport, JsonHasEachFieldOfSchemaOneAndNothingElse) {
  const Sample sample;
  const Json expected = Json::parse(R"({
    "schema": 1, "verb": "diff",
    "a": {"image": "a.img", "pid": 42, "instant_unix_ns": 1700000000000000000,
          "instant": "2023-11-14T22:13:20.000Z"},
    "b": {"image": "b.img", "pid": 42, "instant_unix_ns": 1700000001000000000,
          "instant": "2023-11-14T22:13:21.000Z"},
    "pages": {"equal": 2, "changed": 1, "only_a": 1, "only_b": 2, "lost": 1},
    "compared": {"same_block": 5, "by_hash": 6, "by_bytes": 7},
    "ranges": [
      {"begin": "0x11000", "end": "0x12000", "difference": "changed", "mapping": "[heap]"},
      {"begin": "0x13000", "end": "0x14000", "difference": "lost", "mapping": "[heap]"},
      {"begin": "0x14000", "end": "0x16000", "difference": "only_b", "mapping": ""},
      {"begin": "0x20000", "end": "0x21000", "difference": "only_a", "mapping": "/went\n"}]
  })");
  EXPECT_EQ(DiffToJson(sample.diff, sample.images), expected);
}

TEST(DiffReport, TextHasALineForEachRange) {
  const Sample sample;
  EXPECT_EQ(DiffToText(sample.diff, sample.images),
            "A a.img, process 42 on here, 2023-11-14T22:13:20.000Z\n"
            "B b.img, process 42 on here, 2023-11-14T22:13:21.000Z\n"
            "  pages     2 equal, 1 changed, 1 only in A, 2 only in B, 1 lost\n"
            "  ranges    4\n"
            "    0x11000-0x12000  4.00 KiB  changed  [heap]\n"
            "    0x13000-0x14000  4.00 KiB  lost  [heap]\n"
            "    0x14000-0x16000  8.00 KiB  only in B\n"
            "    0x20000-0x21000  4.00 KiB  only in A  /went\\x0a\n");
}

TEST(DiffReport, ARangeOverSeveralMappingsIsNamedPartByPart) {
  Sample sample;
  sample.diff.ranges = {{{{0x12000}, {0x15000}}, Difference::kChanged}};
  const Json ranges = DiffToJson(sample.diff, sample.images)["ranges"];
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0]["end"], "0x14000");
  EXPECT_EQ(ranges[0]["mapping"], "[heap]");
  EXPECT_EQ(ranges[1]["begin"], "0x14000");
  EXPECT_EQ(ranges[1]["mapping"], "");
}

TEST(DiffReport, TwoEqualImagesHaveNoRanges) {
  Sample sample;
  sample.diff = {};
  EXPECT_EQ(DiffToJson(sample.diff, sample.images)["ranges"], Json::array());
  EXPECT_NE(DiffToText(sample.diff, sample.images).find("ranges    0\n"), std::string::npos);
}

TEST(DiffReport, TheMapCountsEachPageOfBothImagesOnce) {
  const Sample sample;
  const HtmlReport report = MakeHtmlDiffReport(sample.diff, sample.images, {{"Command", "c"}});
  ASSERT_EQ(report.panels.size(), 1u);
  const HtmlMemoryMap& map = report.panels[0].memory;
  EXPECT_EQ(map.cell_pages, Pages{1});
  ASSERT_EQ(map.mappings.size(), 3u);
  using Cell = HtmlMemoryMap::Cell;
  const Cell equal{1, 0, 0, 0, 0};
  const Cell only_b{0, 1, 0, 0, 0};
  const Cell changed{0, 0, 1, 0, 0};
  const Cell only_a{0, 0, 0, 1, 0};
  const Cell lost{0, 0, 0, 0, 1};
  EXPECT_EQ(map.mappings[0].cells, (std::vector{equal, changed, equal, lost}));
  EXPECT_EQ(map.mappings[1].cells, (std::vector{only_b, only_b}));
  EXPECT_EQ(map.mappings[2].cells, (std::vector{only_a}));
  EXPECT_EQ(map.mappings[2].name, "/went\n");
}

TEST(DiffReport, TheMapNamesItsKinds) {
  const Sample sample;
  const Json json =
      HtmlReportToJson(MakeHtmlDiffReport(sample.diff, sample.images, {{"Command", "c"}}));
  const Json& memory = json["panels"][0]["memory"];
  EXPECT_EQ(memory["kinds"],
            Json::parse(R"(["equal", "only in B", "changed", "only in A", "lost"])"));
  EXPECT_EQ(memory["meanings"].size(), kHtmlPageKinds);
  EXPECT_EQ(memory["unremarkable"], "mapping without a difference");
  EXPECT_EQ(json["panels"][0]["latency_title"], "");
  EXPECT_EQ(json["facts"].size(), 4u);
}

TEST(DiffReport, WhatIsOnlyInAIsShownBetweenTheMappingsOfB) {
  DiffImage a;
  DiffImage b;
  for (DiffImage* image : {&a, &b}) image->AddFile(1, true);
  a.AddMapping(0x10000, 10, "wide");
  b.AddMapping(0x12000, 2, "first");
  b.LeaveOut(0x14000, 1, "left out");
  b.AddMapping(0x16000, 1, "second");
  ImageDiff diff;
  diff.ranges = {{{{0x10000}, {0x12000}}, Difference::kOnlyA},
                 {{{0x14000}, {0x16000}}, Difference::kOnlyA},
                 {{{0x17000}, {0x1a000}}, Difference::kOnlyA}};
  const HtmlMemoryMap map = MakeHtmlDiffReport(diff, {a, b, "a", "b"}, {}).panels[0].memory;
  std::vector<AddressRange> ranges;
  for (const HtmlMemoryMap::Mapping& mapping : map.mappings) ranges.push_back(mapping.range);
  EXPECT_EQ(ranges, (std::vector<AddressRange>{{{0x10000}, {0x12000}},
                                               {{0x12000}, {0x14000}},
                                               {{0x14000}, {0x16000}},
                                               {{0x16000}, {0x17000}},
                                               {{0x17000}, {0x1a000}}}));
}

}  // namespace
}  // namespace stillframe
