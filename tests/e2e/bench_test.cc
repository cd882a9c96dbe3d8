// The bench as a command: what it measures is there, comes from where it should, and leaves nothing
// behind. Figures themselves are never asserted.
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/binaries.h"
#include "support/files.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"

namespace stillframe::test {
namespace {

using nlohmann::json;

class BenchTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  // A short bench, and what it wrote with --json.
  struct Outcome {
    CommandOutcome command;
    json result;
  };
  Outcome Bench(std::vector<std::string> more, const std::string& memory = "32M") {
    const std::string file = directory_.path() + "/result.json";
    std::vector<std::string> arguments = {"bench", "--memory", memory, "--json", file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Outcome outcome;
    outcome.command = RunStillframe(arguments);
    if (Exists(file)) outcome.result = json::parse(ReadFile(file), nullptr, false);
    return outcome;
  }

  const TempDir directory_;
};

const json& MethodOf(const json& result, const std::string& name) {
  for (const json& method : result["methods"]) {
    if (method["name"] == name) return method;
  }
  static const json none;
  ADD_FAILURE() << "no method " << name;
  return none;
}

bool IsThere(pid_t pid) { return kill(pid, 0) == 0; }

TEST_F(BenchTest, EveryMethodHasItsRoundsAndNoneIsAmongThem) {
  const Outcome outcome = Bench({"--method", "skip,off,stop", "--runs", "2"});
  ASSERT_EQ(outcome.command.exit_code, kExitDone) << outcome.command.err;
  ASSERT_EQ(outcome.result["methods"].size(), 4U);
  for (const char* name : {"none", "skip", "off", "stop"}) {
    const json& method = MethodOf(outcome.result, name);
    ASSERT_EQ(method["rounds"].size(), 2U) << name;
    for (const json& round : method["rounds"]) {
      EXPECT_FALSE(round.contains("error")) << round;
      EXPECT_GT(round["writes"], 0) << name;
    }
    EXPECT_NE(outcome.command.out.find("\n" + std::string(name) + " "), std::string::npos)
        << outcome.command.out;
  }
  EXPECT_FALSE(MethodOf(outcome.result, "none")["rounds"][0].contains("save"));
  const json& save = MethodOf(outcome.result, "skip")["rounds"][0]["save"];
  EXPECT_EQ(WrongInSummary(save), "");
  EXPECT_GE(save["pages"]["total"], 32 * 256);
  EXPECT_GT(outcome.result["workload"]["timing_cost_ns"], 0);
}

TEST_F(BenchTest, MethodsTakeTurnsAndEachRunBeginsWithAnother) {
  const Outcome outcome = Bench({"--method", "skip,off", "--runs", "2"});
  ASSERT_EQ(outcome.command.exit_code, kExitDone) << outcome.command.err;
  std::vector<std::string> order;
  for (const std::string& line : Lines(outcome.command.err)) {
    const size_t of = line.find(" of 6: ");
    if (of != std::string::npos) order.push_back(line.substr(of + 7));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"none, run 1", "skip, run 1", "off, run 1",
                                             "skip, run 2", "off, run 2", "none, run 2"}));
}

TEST_F(BenchTest, TheSameSeedGivesTheSameWrites) {
  const auto fingerprint = [&](const char* seed) {
    const Outcome outcome = Bench({"--method", "none", "--runs", "1", "--seed", seed});
    return outcome.result["workload"]["fingerprint"];
  };
  const json first = fingerprint("7");
  ASSERT_TRUE(first.is_string());
  EXPECT_EQ(fingerprint("7"), first);
  EXPECT_NE(fingerprint("8"), first);
}

TEST_F(BenchTest, AnInjectedStallStandsInItsBucketOfEveryMethod) {
  // Those that are taken unless others are asked for are all methods but self-fork.
  const Outcome outcome = Bench({"--runs", "1", "--inject-stall", "500ms"}, "16M");
  ASSERT_EQ(outcome.command.exit_code, kExitDone) << outcome.command.err;
  constexpr int64_t kStall = 500'000'000;
  for (const char* name : {"none", "skip", "ramp", "adaptive", "off", "fork", "stop"}) {
    const json& rounds = MethodOf(outcome.result, name)["rounds"];
    ASSERT_EQ(rounds.size(), 1U) << name;
    bool found = false;
    for (const json& bucket : rounds[0]["latency_ns"]) {
      found = found || (bucket[0] <= kStall && kStall <= bucket[1]);
    }
    EXPECT_TRUE(found) << name << ": " << rounds[0]["latency_ns"].back();
  }
}

TEST_F(BenchTest, WithoutAnInjectedStallThatBucketIsEmptyWithoutASave) {
  const Outcome outcome = Bench({"--method", "none", "--runs", "2"});
  ASSERT_EQ(outcome.command.exit_code, kExitDone) << outcome.command.err;
  for (const json& round : MethodOf(outcome.result, "none")["rounds"]) {
    for (const json& bucket : round["latency_ns"]) EXPECT_LT(bucket[0], 500'000'000);
  }
}

TEST_F(BenchTest, AWrongByteInTheWorkloadIsFound) {
  const Outcome outcome = Bench({"--method", "skip", "--runs", "1", "--corrupt-after", "100"});
  EXPECT_EQ(outcome.command.exit_code, kExitOther) << outcome.command.out;
  EXPECT_NE(outcome.command.err.find("wrong memory: writer 0"), std::string::npos)
      << outcome.command.err;
  EXPECT_TRUE(outcome.result.is_null()) << "a result file was left behind";
}

class BenchWorkloadTest : public BenchTest, public testing::WithParamInterface<const char*> {};

TEST_P(BenchWorkloadTest, IsSavedByEveryMethodAndFindsItsMemoryUnharmed) {
  const Outcome outcome =
      Bench({"--workload", GetParam(), "--method", "skip,off,stop", "--runs", "1"});
  ASSERT_EQ(outcome.command.exit_code, kExitDone) << outcome.command.out << outcome.command.err;
  for (const json& method : outcome.result["methods"]) {
    EXPECT_FALSE(method["rounds"][0].contains("error")) << method;
  }
}

INSTANTIATE_TEST_SUITE_P(All, BenchWorkloadTest,
                         testing::Values("uniform", "zipf", "sequential", "burst", "churn", "idle"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(BenchTest, WritesAsFastAsItGoesAreMeasuredToo) {
  const Outcome outcome =
      Bench({"--rate", "max", "--threads", "3", "--method", "skip", "--runs", "1"});
  ASSERT_EQ(outcome.command.exit_code, kExitDone) << outcome.command.err;
  const json& round = MethodOf(outcome.result, "skip")["rounds"][0];
  // What a stall left out is filled in, so there are more latencies than writes.
  EXPECT_GT(round["writes"], round["writes_done"]);
  EXPECT_EQ(outcome.result["workload"]["writes_per_second"], "max");
}

TEST_F(BenchTest, AFileIsWrittenAndGoneAfterwards) {
  const std::string image = directory_.path() + "/image";
  const Outcome outcome = Bench({"--output", image, "--method", "skip", "--runs", "2"});
  ASSERT_EQ(outcome.command.exit_code, kExitDone) << outcome.command.err;
  EXPECT_GT(MethodOf(outcome.result, "skip")["rounds"][1]["save"]["image_bytes"], 32 << 20);
  EXPECT_EQ(directory_.List(), (std::vector<std::string>{"result.json"}));
}

TEST_F(BenchTest, AStallingOutputStallsAndALimitedOneLimits) {
  const Outcome stall = Bench({"--output", "stall:40ms/50ms", "--method", "skip", "--runs", "1"});
  ASSERT_EQ(stall.command.exit_code, kExitDone) << stall.command.err;
  EXPECT_GT(MethodOf(stall.result, "skip")["rounds"][0]["output_stalls"], 0);
  const Outcome limit = Bench({"--output", "limit:64M", "--method", "skip", "--runs", "1"});
  ASSERT_EQ(limit.command.exit_code, kExitDone) << limit.command.err;
  // 32 MiB less what the pipe holds, at 64 MiB a second: no load makes it faster.
  EXPECT_GT(MethodOf(limit.result, "skip")["figures"]["total_ns"]["median"], 400'000'000);
}

TEST_F(BenchTest, AReportIsAPageThatNamesEveryMethod) {
  const std::string report = directory_.path() + "/report.html";
  const Outcome outcome = Bench({"--report", report, "--method", "skip,stop", "--runs", "2"});
  ASSERT_EQ(outcome.command.exit_code, kExitDone) << outcome.command.err;
  const std::string page = ReadFile(report);
  EXPECT_NE(page.find("<html"), std::string::npos);
  for (const char* name : {"\"none\"", "\"skip\"", "\"stop\""}) {
    EXPECT_NE(page.find(name), std::string::npos) << name;
  }
}

TEST_F(BenchTest, SigintEndsItWithItsWorkloadAndLeavesNothing) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string file = directory_.path() + "/result.json";
    const std::string image = directory_.path() + "/image";
    Subprocess bench(StillframeArgv(
        {"bench", "--memory", "64M", "--json", file, "--output", image, "--runs", "1000"}));
    ASSERT_TRUE(bench.WaitForErr("skip, run 1")) << bench.Err();
    const std::vector<pid_t> children = ChildrenOf(bench.pid());
    ASSERT_FALSE(children.empty());
    bench.Signal(signal);
    EXPECT_EQ(bench.Wait(), 128 + signal) << bench.Err();
    for (const pid_t child : children) {
      EXPECT_TRUE(Eventually([&] { return !IsThere(child); })) << child;
    }
    EXPECT_TRUE(directory_.List().empty());
    EXPECT_EQ(bench.Out(), "");
  }
}

TEST_F(BenchTest, TheWorkloadDiesWithABenchThatIsKilled) {
  Subprocess bench(StillframeArgv({"bench", "--memory", "64M", "--runs", "1000"}));
  ASSERT_TRUE(bench.WaitForErr("none, run 1")) << bench.Err();
  const std::vector<pid_t> children = ChildrenOf(bench.pid());
  ASSERT_FALSE(children.empty());
  bench.Signal(SIGKILL);
  EXPECT_EQ(bench.Wait(), kExitSigkill);
  for (const pid_t child : children) {
    EXPECT_TRUE(Eventually([&] { return !IsThere(child); })) << child;
  }
}

// Cores of a server that two kinds of clients ask meanwhile.
void ExpectRowsOfRedis(const json& result, bool has_gcore) {
  std::map<std::string, std::map<std::string, json>> rows;  // by client, by way
  for (const json& row : result["rows"]) {
    if (row["job"].get<std::string>().starts_with("redis")) rows[row["output"]][row["way"]] = row;
  }
  EXPECT_EQ(rows.size(), 2u);
  for (auto& [client, ways] : rows) {
    EXPECT_EQ(ways.size(), has_gcore ? 3u : 2u) << client;
    for (const auto& [way, row] : ways) {
      EXPECT_GT(row["p50"], 0) << client << ", " << way;
      EXPECT_GE(row["max"], row["p99"]) << client << ", " << way;
    }
    EXPECT_GT(ways["stillframe core"]["pause"], 0) << client;
  }
  EXPECT_EQ(result["redis_verdicts"].size(), has_gcore ? 2u : 0u);
}

TEST_F(BenchTest, TheComparisonWithOtherToolsHasARowForEachThatIsThere) {
  const std::string file = directory_.path() + "/compare.json";
  Subprocess compare(
      {STILLFRAME_COMPARE, "--quick", "--stillframe", Binary("stillframe"), "--json", file});
  ASSERT_EQ(compare.Wait(), 0) << compare.Err();
  std::map<std::string, json> rows;
  const json result = json::parse(ReadFile(file));
  for (const json& row : result["rows"]) {
    if (row["job"] == "process") rows[row["way"]] = row;
  }
  std::vector<std::string> ways = {"none", "stillframe save", "stillframe save --via fork",
                                   "stillframe save --via stop", "fork() in the program itself"};
  const bool has_gcore = compare.Err().find("gcore is left out") == std::string::npos;
  if (has_gcore) ways.emplace_back("gcore");
  EXPECT_EQ(rows.size(), ways.size());
  for (const std::string& way : ways) {
    EXPECT_NE(compare.Out().find("| " + way + " |"), std::string::npos) << compare.Out();
    ASSERT_TRUE(rows.contains(way)) << way;
    EXPECT_GT(rows[way]["p50"], 0) << way;
    EXPECT_EQ(rows[way].contains("seconds_ratio"), way != "none" && way != "stillframe save");
  }
  EXPECT_NE(compare.Err().find("QEMU is left out"), std::string::npos) << compare.Err();
  if (compare.Err().find("redis is left out") == std::string::npos) {
    ExpectRowsOfRedis(result, has_gcore);
  }
}

TEST_F(BenchTest, WhatMakesNoSenseIsRefusedBeforeAnythingStarts) {
  const std::string present = directory_.path() + "/present";
  WriteFile(present, "data");
  const std::vector<std::vector<std::string>> wrong = {
      {"--method", "magic"}, {"--workload", "busy"},      {"--memory", "900G"},
      {"--output", present}, {"--json", "/nowhere/file"}, {"--report", directory_.path()}};
  for (const auto& arguments : wrong) {
    std::vector<std::string> all = {"bench"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const CommandOutcome outcome = RunStillframe(all);
    EXPECT_EQ(outcome.exit_code, kExitUsage) << arguments[0] << " " << outcome.err;
    EXPECT_NE(outcome.err.find(arguments[0]), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(ReadFile(present), "data");
}

}  // namespace
}  // namespace stillframe::test
