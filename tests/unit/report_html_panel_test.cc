#include <gtest/gtest.h>

#include "report/html_panel.h"
#include "report/html_save_report.h"
#include "report/text.h"

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Pushing for 40 ms, held back for 40 ms, no room for 20 ms.
SaveTrace ShortTrace() {
  SaveTrace trace;
  trace.stage_size = MiB(8);
  trace.max_bandwidth = MiB(100);
  trace.length = milliseconds(100);
  trace.looks = {
      {.at = milliseconds(0), .stage_used = MiB(1), .sent = Bytes{0}, .scanned = {}},
      {.at = milliseconds(40), .stage_used = MiB(6), .sent = MiB(4), .scanned = {}, .held = true},
      {.at = milliseconds(80),
       .stage_used = MiB(8),
       .sent = MiB(4),
       .scanned = {},
       .no_room = true},
  };
  trace.faults = {{milliseconds(10), microseconds(20), {}, true},
                  {milliseconds(50), milliseconds(7), {}, true},
                  {milliseconds(98), milliseconds(9), {}, false}};
  return trace;
}

// The share of the whole time that a member of the bins holds.
double Share(const HtmlTimeline& timeline, double HtmlTimeline::Bin::*member) {
  double sum = 0;
  for (const HtmlTimeline::Bin& bin : timeline.bins) sum += bin.*member;
  return sum / static_cast<double>(timeline.bins.size());
}

TEST(HtmlPanel, TheThrottleIsInTheStateOfALookUntilTheNextOne) {
  const HtmlPanel panel = MakeHtmlPanel("skip", ShortTrace());
  EXPECT_EQ(panel.name, "skip");
  EXPECT_NEAR(Share(panel.timeline, &HtmlTimeline::Bin::pushing), 0.4, 1e-9);
  EXPECT_NEAR(Share(panel.timeline, &HtmlTimeline::Bin::holding_back), 0.4, 1e-9);
  EXPECT_NEAR(Share(panel.timeline, &HtmlTimeline::Bin::no_room), 0.2, 1e-9);
}

TEST(HtmlPanel, StageAndOutputComeFromTheLooksAndTheirLimitsFromTheOptions) {
  const HtmlTimeline timeline = MakeHtmlPanel("skip", ShortTrace()).timeline;
  EXPECT_EQ(timeline.stage_size, MiB(8));
  EXPECT_EQ(timeline.max_bandwidth, MiB(100));
  EXPECT_EQ(timeline.bins.front().stage, MiB(1));
  EXPECT_EQ(timeline.bins.back().stage, MiB(8));
  uint64_t sent = 0;
  for (const HtmlTimeline::Bin& bin : timeline.bins) sent += bin.sent.count;
  EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(MiB(4).count), 1);
}

TEST(HtmlPanel, AWaitStandsAtTheArrivalOfItsFaultAndTheTimeAxisReachesToItsEnd) {
  const HtmlPanel panel = MakeHtmlPanel("skip", ShortTrace());
  EXPECT_EQ(panel.latency.counts.at(50)[HtmlHeatMap::RowOf(milliseconds(7))], 1u);
  EXPECT_EQ(panel.latency.longest.at(98), milliseconds(9));
  EXPECT_EQ(panel.begin, Duration(0));
  EXPECT_EQ(panel.end, milliseconds(107));
}

TEST(HtmlPanel, FaultsThatTheTraceLeftOutAreSpokenOf) {
  SaveTrace trace = ShortTrace();
  EXPECT_EQ(MakeHtmlPanel("skip", trace).note, "");
  trace.faults_left_out = 12345;
  EXPECT_NE(MakeHtmlPanel("skip", trace).note.find("12,345 faults"), std::string::npos);
}

TEST(HtmlPanel, ATraceOfNothingIsAnEmptyPanel) {
  const HtmlPanel panel = MakeHtmlPanel("skip", SaveTrace());
  EXPECT_TRUE(panel.latency.empty());
  EXPECT_TRUE(panel.timeline.empty());
  EXPECT_EQ(panel.end, Duration(0));
}

TEST(HtmlSaveReport, TheRowHoldsWhatTheSummarySaysAndCountsSlowWaits) {
  SaveSummary summary;
  summary.pid = 4711;
  summary.policy = "skip";
  summary.pause = milliseconds(3);
  summary.duration = milliseconds(110);
  summary.pages.lost = Pages{5};
  summary.wait = {.count = 3, .p50 = 20, .p99 = 7000, .p999 = 9000, .max = 9001};
  const HtmlReport report =
      MakeHtmlSaveReport(summary, "image", ShortTrace(), {}, {{"Machine", "2 vCPU"}});
  EXPECT_EQ(report.title, "Save of process 4711");
  EXPECT_EQ(report.facts.front().value, "2 vCPU");
  ASSERT_EQ(report.methods.size(), 1u);
  const HtmlMethod& row = report.methods[0];
  EXPECT_EQ(row.name, "skip");
  EXPECT_EQ(row.pause, milliseconds(3));
  EXPECT_EQ(row.p99, microseconds(7000));
  EXPECT_EQ(row.max, microseconds(9001));
  EXPECT_EQ(row.over_5ms, 2u);
  EXPECT_EQ(row.lost, Pages{5});
  EXPECT_FALSE(row.throughput_kept.has_value());
  ASSERT_EQ(report.curves.size(), 1u);
  EXPECT_EQ(report.curves[0].points.back().latency, milliseconds(9));
  ASSERT_EQ(report.panels.size(), 1u);
  EXPECT_EQ(report.panels[0].pause, milliseconds(3));
}

TEST(HtmlSaveReport, WhatWasWrittenIsCalledWhatItIs) {
  SaveSummary summary;
  summary.image = MiB(3);
  const auto written = [&summary](SaveFormat format) {
    return MakeHtmlSaveReport(summary, "there", SaveTrace(), {}, {}, format).facts.at(0);
  };
  EXPECT_EQ(written(SaveFormat::kImage).label, "Image");
  EXPECT_EQ(written(SaveFormat::kCore).label, "Core");
  EXPECT_EQ(written(SaveFormat::kCore).value, "there, " + FormatBytes(MiB(3)));
}

TEST(HtmlSaveReport, ASaveInWhichNothingWaitedHasNoPercentiles) {
  const HtmlReport report = MakeHtmlSaveReport({}, "image", SaveTrace(), {}, {});
  EXPECT_FALSE(report.methods.at(0).p50.has_value());
  EXPECT_EQ(report.methods.at(0).over_5ms, 0u);
  EXPECT_TRUE(report.curves.at(0).points.empty());
}

TEST(HtmlSaveReport, SlowWaitsAreNotCountedWhenFaultsWereLeftOut) {
  SaveTrace trace = ShortTrace();
  trace.faults_left_out = 1;
  EXPECT_FALSE(MakeHtmlSaveReport({}, "image", trace, {}, {}).methods.at(0).over_5ms.has_value());
}

}  // namespace
}  // namespace stillframe
