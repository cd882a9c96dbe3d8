// The HTML report in a real browser: does it draw, in both color schemes and on both widths?
#include "report/html_report.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/html_save_report.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/subprocess.h"
#include "support/temp_dir.h"
#include "unit/report_html_sample.h"

namespace stillframe::test {
namespace {

const std::vector<std::string> kAllCharts = {"percentiles", "latency", "throttle",
                                             "stage",       "output",  "memory"};

// What html_report_browser.py found: a list of views, null when the browser failed.
nlohmann::json LookAt(const HtmlReport& report) {
  const TempDir directory;
  const std::string path = directory / "report.html";
  if (!WriteHtml(report, path)) return nullptr;
  const Finished finished = RunToEnd({"python3", STILLFRAME_REPORT_BROWSER, path}, {}, 240);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return nlohmann::json::parse(finished.out, nullptr, false);
}

// Of the sample, looked at once.
const nlohmann::json& SampleViews() {
  static const nlohmann::json views = LookAt(SampleReport());
  return views;
}

std::vector<std::string> NamesOf(const nlohmann::json& view) {
  std::vector<std::string> names;
  for (const nlohmann::json& chart : view["charts"]) names.push_back(chart["name"]);
  return names;
}

// "390 light", for messages.
std::string NameOf(const nlohmann::json& view) {
  return std::to_string(view["wanted_width"].get<int>()) + " " + view["scheme"].get<std::string>();
}

// True of every page, whatever is in it.
void ExpectSound(const nlohmann::json& views) {
  ASSERT_EQ(views.size(), 4u);
  for (const nlohmann::json& view : views) {
    SCOPED_TRACE(NameOf(view));
    EXPECT_EQ(view["troubles"], 0) << view["text"];
    EXPECT_EQ(view["console"], nlohmann::json::array());
    EXPECT_EQ(view["requests"], nlohmann::json::array());
    EXPECT_EQ(view["width"], view["wanted_width"]);
    EXPECT_EQ(view["overflow"], 0);
    EXPECT_EQ(view["scripts"], 12);
    for (const nlohmann::json& chart : view["charts"]) {
      for (const nlohmann::json& canvas : chart["canvases"]) {
        EXPECT_GT(canvas["drawn"], 400) << chart["name"];
        EXPECT_LE(canvas["right"], view["width"]) << chart["name"];
      }
    }
  }
}

TEST(HtmlReportInABrowser, EveryChartIsDrawnAndNothingIsInTheConsole) {
  STILLFRAME_REQUIRE(MissingProgram("chromium"));
  const nlohmann::json& views = SampleViews();
  ExpectSound(views);
  for (const nlohmann::json& view : views) {
    SCOPED_TRACE(NameOf(view));
    EXPECT_EQ(view["title"], "Sample: what a save costs");
    EXPECT_EQ(NamesOf(view), kAllCharts);
    EXPECT_EQ(view["rows"], 7);
    EXPECT_EQ(view["choices"].size(), 7u);
    // The heap, the large mapping, all others.
    EXPECT_EQ(view["charts"][5]["canvases"].size(), 3u);
  }
}

TEST(HtmlReportInABrowser, LightAndDarkFollowTheReader) {
  STILLFRAME_REQUIRE(MissingProgram("chromium"));
  ASSERT_EQ(SampleViews().size(), 4u);
  for (const nlohmann::json& view : SampleViews()) {
    EXPECT_EQ(view["background"],
              view["scheme"] == "dark" ? "rgb(20, 24, 28)" : "rgb(255, 255, 255)");
  }
}

TEST(HtmlReportInABrowser, AChangeOfTheColorSchemeIsFollowedAtOnce) {
  STILLFRAME_REQUIRE(MissingProgram("chromium"));
  ASSERT_EQ(SampleViews().size(), 4u);
  for (const nlohmann::json& view : SampleViews()) {
    EXPECT_EQ(view["background_of_other_scheme"],
              view["scheme"] == "dark" ? "rgb(255, 255, 255)" : "rgb(20, 24, 28)");
  }
}

TEST(HtmlReportInABrowser, TheButtonOfAMethodShowsItsCharts) {
  STILLFRAME_REQUIRE(MissingProgram("chromium"));
  ASSERT_EQ(SampleViews().size(), 4u);
  for (const nlohmann::json& view : SampleViews()) {
    SCOPED_TRACE(NameOf(view));
    const nlohmann::json& chosen = view["after_choice"];
    ASSERT_EQ(chosen.size(), 7u);
    for (size_t i = 0; i < chosen.size(); ++i) {
      EXPECT_EQ(chosen[i]["pressed"], view["choices"][i]);
      EXPECT_EQ(chosen[i]["troubles"], 0);
      // Without a save there is nothing but the latencies.
      EXPECT_EQ(chosen[i]["charts"].size(), i == 0 ? 2u : kAllCharts.size());
    }
  }
}

TEST(HtmlReportInABrowser, EachChartAnswersToMouseAndFinger) {
  STILLFRAME_REQUIRE(MissingProgram("chromium"));
  const std::map<std::string, std::string> expected = {{"latency", "writes, longest"},
                                                       {"throttle", "100 %"},
                                                       {"stage", "MiB"},
                                                       {"output", "MiB/s"},
                                                       {"percentiles", "98."},
                                                       {"memory", "[heap] rw-p"}};
  ASSERT_EQ(SampleViews().size(), 4u);
  for (const nlohmann::json& view : SampleViews()) {
    SCOPED_TRACE(NameOf(view));
    for (const auto& [chart, text] : expected) {
      ASSERT_TRUE(view["readouts"][chart].is_string()) << chart;
      EXPECT_NE(view["readouts"][chart].get<std::string>().find(text), std::string::npos)
          << chart << ": " << view["readouts"][chart];
    }
    // The address of what is pointed at.
    EXPECT_NE(view["readouts"]["memory"].get<std::string>().find("0x55d0c"), std::string::npos);
  }
}

TEST(HtmlReportInABrowser, NamesOfAnyBytesAreShownAsTextAndBreakNothing) {
  STILLFRAME_REQUIRE(MissingProgram("chromium"));
  const std::string hostile =
      "</script><img src=x onerror=document.title='broken'><!--<script>\xff\x01";
  HtmlReport report = SampleReport();
  report.lead = hostile;
  report.facts[0] = {hostile, hostile};
  report.methods[1].name = report.curves[1].name = report.panels[1].name = hostile;
  report.panels[1].note = hostile;
  report.panels[1].marks.push_back({Duration(1), hostile});
  for (HtmlMemoryMap::Mapping& mapping : report.panels[1].memory.mappings) mapping.name = hostile;
  const nlohmann::json views = LookAt(report);
  ExpectSound(views);
  for (const nlohmann::json& view : views) {
    EXPECT_EQ(view["title"], "Sample: what a save costs");
    EXPECT_NE(view["text"].get<std::string>().find("<img src=x onerror"), std::string::npos);
  }
}

TEST(HtmlReportInABrowser, ASaveInWhichNothingHappenedIsAPageAllTheSame) {
  STILLFRAME_REQUIRE(MissingProgram("chromium"));
  const nlohmann::json views = LookAt(MakeHtmlSaveReport({}, "image", SaveTrace(), {}, {}));
  ExpectSound(views);
  for (const nlohmann::json& view : views) {
    EXPECT_EQ(view["rows"], 1);
    EXPECT_EQ(NamesOf(view), std::vector<std::string>());
  }
}

TEST(HtmlReportInABrowser, ASingleSaveIsDrawnFromItsTrace) {
  STILLFRAME_REQUIRE(MissingProgram("chromium"));
  SaveSummary summary;
  summary.policy = "skip";
  HtmlReport report =
      MakeHtmlSaveReport(summary, "image", SampleTrace(), SampleReport().panels[1].memory, {});
  const nlohmann::json views = LookAt(report);
  ExpectSound(views);
  for (const nlohmann::json& view : views) {
    EXPECT_EQ(NamesOf(view), kAllCharts);
    EXPECT_TRUE(view["choices"].empty());
  }
}

}  // namespace
}  // namespace stillframe::test
