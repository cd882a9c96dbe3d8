#include <gtest/gtest.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>
#include <string>

#include "report/html_report.h"
#include "support/files.h"
#include "support/temp_dir.h"
#include "unit/report_html_sample.h"

namespace stillframe {
namespace {

using test::ReadFile;
using test::SampleReport;
using test::TempDir;

std::string Render(const HtmlReport& report) {
  Result<std::string> page = RenderHtml(report);
  EXPECT_TRUE(page.has_value());
  return page.value_or("");
}

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// What the page's script reads, found as a browser finds it: up to the first end of the element.
nlohmann::json DataOf(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"report\">";
  const size_t begin = page.find(open);
  if (begin == std::string::npos) return nullptr;
  const size_t end = page.find("</script", begin);
  return nlohmann::json::parse(page.substr(begin + open.size(), end - begin - open.size()), nullptr,
                               false);
}

TEST(HtmlReport, IsOneFileThatAsksTheNetworkForNothing) {
  const std::string page = Render(SampleReport());
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_EQ(CountOf(page, " src="), 0u);
  EXPECT_EQ(CountOf(page, "<link"), 0u);
  EXPECT_EQ(CountOf(page, "@import"), 0u);
  EXPECT_EQ(CountOf(page, "url("), 0u);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

TEST(HtmlReport, EveryPlaceOfTheTemplateIsFilled) {
  const std::string page = Render(SampleReport());
  for (const char* part : {"notice-->", "style-->", "data-->", "script-->"}) {
    EXPECT_EQ(CountOf(page, part), 0u) << part;
  }
  EXPECT_EQ(CountOf(page, "<script"), 12u);
  EXPECT_EQ(CountOf(page, "</script>"), 12u);
  EXPECT_EQ(CountOf(page, "<style"), 1u);
}

TEST(HtmlReport, CarriesTheLicenseOfWhatIsBuiltIn) {
  const std::string page = Render(SampleReport());
  EXPECT_NE(page.find("Copyright (c) 2022 Leon Sorokin"), std::string::npos);
  EXPECT_NE(page.find("The above copyright notice and this permission notice shall be included"),
            std::string::npos);
}

TEST(HtmlReport, TheDataIsReadBackAsItWasGivenIn) {
  const nlohmann::json data = DataOf(Render(SampleReport()));
  ASSERT_TRUE(data.is_object());
  EXPECT_EQ(data["title"], "Sample: what a save costs");
  EXPECT_EQ(data["methods"].size(), 7u);
  EXPECT_EQ(data["methods"][0]["pause"], nullptr);
  EXPECT_EQ(data["methods"][1]["pause"], 24'000'000);
  EXPECT_EQ(data["panels"][1]["begin"], -500'000'000);
  EXPECT_EQ(data["panels"][1]["memory"]["mappings"][1]["begin"], "0x55d0c2000000");
}

TEST(HtmlReport, NoTextCanEndItsElementOrStartAnother) {
  const std::string hostile = "a</script><script>alert(1)</script><!--<script>&\"'\\";
  HtmlReport report = SampleReport();
  report.title = report.lead = hostile;
  report.facts.push_back({hostile, hostile});
  report.notes.push_back(hostile);
  report.methods[0].name = report.methods[0].note = hostile;
  report.curves[0].name = hostile;
  report.panels[1].name = report.panels[1].note = hostile;
  report.panels[1].marks.push_back({Duration(0), hostile});
  report.panels[1].memory.mappings[1].name = hostile;
  const std::string page = Render(report);
  EXPECT_EQ(CountOf(page, "<script"), 12u);
  EXPECT_EQ(CountOf(page, "</script>"), 12u);
  const nlohmann::json data = DataOf(page);
  ASSERT_TRUE(data.is_object());
  EXPECT_EQ(data["title"], hostile);
  EXPECT_EQ(data["panels"][1]["memory"]["mappings"][1]["name"], hostile);
}

TEST(HtmlReport, BytesThatAreNoTextBecomeText) {
  HtmlReport report = SampleReport();
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  report.panels[1].memory.mappings[1].name = bytes;
  report.facts[0].value = bytes;
  report.title = bytes;
  const nlohmann::json data = DataOf(Render(report));
  ASSERT_TRUE(data.is_object());
  EXPECT_NE(data["panels"][1]["memory"]["mappings"][1]["name"].get<std::string>().find("ABC"),
            std::string::npos);
  EXPECT_NE(data["title"].get<std::string>().find("\xef\xbf\xbd"), std::string::npos);  // U+FFFD
}

TEST(HtmlReport, APartOfTheTemplateInATextStaysThatText) {
  HtmlReport report = SampleReport();
  report.title = "<!--script-->";
  EXPECT_EQ(CountOf(Render(report), "<script"), 12u);
}

TEST(HtmlReport, AnEmptyReportIsAPageAllTheSame) {
  HtmlReport report;
  report.title = "Nothing";
  EXPECT_EQ(DataOf(Render(report))["panels"].size(), 0u);
}

TEST(HtmlReport, WhatIsBeyondTheBoundsIsRefused) {
  const auto refused = [](auto change) {
    HtmlReport report = SampleReport();
    change(report);
    const Result<std::string> page = RenderHtml(report);
    return !page && page.error().code == ErrorCode::kUsage;
  };
  EXPECT_TRUE(refused([](HtmlReport& r) { r.panels.resize(HtmlReport::kMaxPanels + 1); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.methods.resize(HtmlReport::kMaxPanels + 1); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.curves[0].points.resize(501); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.panels[1].end = r.panels[1].begin - Duration(1); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.panels[1].latency.longest.pop_back(); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.panels[1].latency.column = Duration(0); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.panels[1].timeline.bins.resize(601); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.panels[1].timeline.bin = Duration(0); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.panels[1].memory.mappings.resize(1025); }));
  EXPECT_TRUE(refused([](HtmlReport& r) { r.panels[1].memory.mappings[0].cells.resize(9999); }));
  EXPECT_FALSE(refused([](HtmlReport&) {}));
}

TEST(HtmlReport, AFileHoldsThePageAndIsReplaced) {
  const TempDir directory;
  const std::string path = directory / "report.html";
  test::WriteFile(path, std::string(5'000'000, 'x'));
  ASSERT_TRUE(WriteHtml(SampleReport(), path));
  EXPECT_EQ(ReadFile(path), Render(SampleReport()));
}

TEST(HtmlReport, AFileThatCannotBeOpenedIsNamedInTheError) {
  const TempDir directory;
  const Result<void> written = WriteHtml(SampleReport(), directory / "missing/report.html");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kOutput);
  EXPECT_NE(written.error().message.find("missing/report.html"), std::string::npos);
}

TEST(HtmlReport, HalfAFileIsNotLeftBehind) {
  const TempDir directory;
  struct rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit small = {65536, before.rlim_max};
  const auto ignored = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Result<void> written = WriteHtml(SampleReport(), directory / "report.html");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, ignored);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kOutput);
  EXPECT_TRUE(directory.List().empty());
}

TEST(HtmlCurve, EachNineHasTenPointsAndTheLastOneIsTheLongest) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.Record(std::chrono::microseconds(i));
  const HtmlCurve curve = MakeHtmlCurve("skip", histogram);
  EXPECT_EQ(curve.name, "skip");
  // Three nines, what lies between the third and the last rank, and that rank itself.
  EXPECT_EQ(curve.points.size(), 35u);
  EXPECT_DOUBLE_EQ(curve.points[10].quantile, 0.9);
  EXPECT_EQ(curve.points[10].latency, histogram.Quantile(0.9));
  EXPECT_EQ(curve.points.back().latency, std::chrono::microseconds(1000));
  for (size_t i = 1; i < curve.points.size(); ++i) {
    EXPECT_LT(curve.points[i - 1].quantile, curve.points[i].quantile);
    EXPECT_LE(curve.points[i - 1].latency, curve.points[i].latency);
  }
}

TEST(HtmlCurve, OneWriteIsTwoPointsAndNoneIsNone) {
  LatencyHistogram histogram;
  EXPECT_TRUE(MakeHtmlCurve("skip", histogram).points.empty());
  histogram.Record(std::chrono::milliseconds(3));
  EXPECT_EQ(MakeHtmlCurve("skip", histogram).points.back().latency, std::chrono::milliseconds(3));
}

}  // namespace
}  // namespace stillframe
