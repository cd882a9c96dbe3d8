#include <gtest/gtest.h>

#include <chrono>

#include "evaluate/bench/figures.h"
#include "evaluate/bench/html.h"
#include "evaluate/bench/json.h"
#include "evaluate/bench/text.h"

namespace stillframe::evaluate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const BenchColumn& Column(std::string_view key) {
  for (const BenchColumn& column : BenchColumns()) {
    if (column.key == key) return column;
  }
  ADD_FAILURE() << "no column " << key;
  return BenchColumns()[0];
}

BenchRound RoundOf(const char* method, size_t run, uint64_t done) {
  BenchRound round;
  round.method = FindBenchMethod(method);
  round.run = run;
  round.total = round.window = seconds(1);
  round.writes_done = done;
  return round;
}

// Two methods, three runs: "none" does 1000, 2000, 1000 writes a second, "skip" half as many of
// them each time.
BenchResult ResultOfThreeRuns() {
  BenchResult result;
  result.plan.workload = FindBenchWorkloadKind("uniform");
  result.plan.methods = {FindBenchMethod("none"), FindBenchMethod("skip")};
  result.plan.runs = 3;
  result.rounds.resize(2);
  const uint64_t done[] = {1000, 2000, 1000};
  for (size_t run = 1; run <= 3; ++run) {
    result.rounds[0].push_back(RoundOf("none", run, done[run - 1]));
    BenchRound save = RoundOf("skip", run, done[run - 1] / 2);
    save.summary.emplace();
    save.summary->pause = milliseconds(10 * static_cast<int64_t>(run));
    save.summary->pages.lost = Pages{run};
    save.latencies.Add(milliseconds(1), 997);
    save.latencies.Add(milliseconds(30), 3);
    result.rounds[1].push_back(save);
  }
  return result;
}

TEST(BenchFiguresTest, AFigureIsTheMedianOfTheRunsBesideLowestAndHighest) {
  const auto pause = SpreadOf(ResultOfThreeRuns(), 1, Column("pause_ns"));
  ASSERT_TRUE(pause);
  EXPECT_EQ(pause->median, 20e6);
  EXPECT_EQ(pause->lowest, 10e6);
  EXPECT_EQ(pause->highest, 30e6);
}

TEST(BenchFiguresTest, ThroughputIsHeldAgainstTheRoundWithoutASaveOfTheSameRun) {
  const auto kept = SpreadOf(ResultOfThreeRuns(), 1, Column("throughput_kept"));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->lowest, 0.5);
  EXPECT_EQ(kept->highest, 0.5);
}

TEST(BenchFiguresTest, LateWritesAreCountedAndPercentilesTaken) {
  const BenchResult result = ResultOfThreeRuns();
  EXPECT_EQ(SpreadOf(result, 1, Column("over_5ms"))->median, 3);
  EXPECT_EQ(SpreadOf(result, 1, Column("max_ns"))->median, 30e6);
  EXPECT_LT(SpreadOf(result, 1, Column("p99_ns"))->median, 1.1e6);
  EXPECT_EQ(LatenciesOf(result, 1).count(), 3000U);
}

TEST(BenchFiguresTest, WithoutASaveThereIsNoPauseAndNothingIsLost) {
  const BenchResult result = ResultOfThreeRuns();
  for (const char* key : {"pause_ns", "lost_pages", "total_ns", "extra_memory_bytes"}) {
    EXPECT_FALSE(SpreadOf(result, 0, Column(key))) << key;
  }
}

TEST(BenchFiguresTest, ARoundThatFailedCountsInNoFigure) {
  BenchResult result = ResultOfThreeRuns();
  result.rounds[1][2].error = Error{.code = ErrorCode::kLimit, .message = "given up", .hint = {}};
  EXPECT_EQ(SpreadOf(result, 1, Column("pause_ns"))->median, 15e6);
  ASSERT_NE(FirstErrorOf(result, 1), nullptr);
  EXPECT_EQ(FirstErrorOf(result, 1)->message, "given up");
  EXPECT_EQ(FirstErrorOf(result, 0), nullptr);
}

TEST(BenchFiguresTest, TheTableHasARowForEachMethodAndSaysWhyOneFailed) {
  BenchResult result = ResultOfThreeRuns();
  for (BenchRound& round : result.rounds[1]) {
    round.error = Error{.code = ErrorCode::kLimit, .message = "given up", .hint = "wait longer"};
  }
  const std::string table = BenchTable(result);
  EXPECT_NE(table.find("\nnone "), std::string::npos) << table;
  EXPECT_NE(table.find("\nskip       failed: given up; wait longer\n"), std::string::npos) << table;
}

TEST(BenchFiguresTest, FiguresAreWrittenWithTheirUnits) {
  EXPECT_EQ(FigureText(FigureKind::kDuration, 4.214e6), "4.21 ms");
  EXPECT_EQ(FigureText(FigureKind::kDuration, 320), "0.32 us");
  EXPECT_EQ(FigureText(FigureKind::kCount, 1234), "1234");
  EXPECT_EQ(FigureText(FigureKind::kRatio, 0.973), "0.97");
  EXPECT_EQ(FigureText(FigureKind::kBytes, static_cast<double>(MiB(64).count)), "64.0 MiB");
  EXPECT_EQ(RangeText(FigureKind::kDuration, 900e6, 1.25e9), "0.90-1.25 s");
}

TEST(BenchFiguresTest, JsonHoldsEachRoundAndEachBucket) {
  const Json json = BenchToJson(ResultOfThreeRuns());
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["verb"], "bench");
  ASSERT_EQ(json["methods"].size(), 2U);
  const Json& skip = json["methods"][1];
  EXPECT_EQ(skip["figures"]["pause_ns"]["median"], 20e6);
  ASSERT_EQ(skip["rounds"].size(), 3U);
  const Json& counts = skip["rounds"][0]["latency_ns"];
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_LE(counts[1][0], 30'000'000);
  EXPECT_GE(counts[1][1], 30'000'000);
  EXPECT_EQ(counts[1][2], 3);
}

TEST(BenchFiguresTest, TheReportHasARowAndACurveForEachMethodThatWrote) {
  const HtmlReport report = BenchToHtml(ResultOfThreeRuns(), "stillframe bench");
  ASSERT_EQ(report.methods.size(), 2U);
  EXPECT_EQ(report.methods[1].pause, milliseconds(20));
  EXPECT_EQ(report.methods[1].over_5ms, 3U);
  ASSERT_EQ(report.curves.size(), 1U);
  EXPECT_EQ(report.curves[0].name, "skip");
  for (size_t i = 1; i < report.curves[0].points.size(); ++i) {
    EXPECT_LE(report.curves[0].points[i - 1].quantile, report.curves[0].points[i].quantile);
    EXPECT_LE(report.curves[0].points[i - 1].latency, report.curves[0].points[i].latency);
  }
  EXPECT_TRUE(RenderHtml(report));
}

}  // namespace
}  // namespace stillframe::evaluate
