#include "cli/bench_arguments.h"

#include <gtest/gtest.h>

#include <chrono>

namespace stillframe {
namespace {

using evaluate::BenchOutputPlan;

std::vector<std::string> NamesOf(const evaluate::BenchPlan& plan) {
  std::vector<std::string> names;
  for (const auto& method : plan.methods) names.push_back(method->name);
  return names;
}

TEST(BenchArgumentsTest, TheDefaultsAreThoseOfTheReadme) {
  const auto parsed = ParseBenchArguments({});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->plan.workload->name, "uniform");
  EXPECT_EQ(parsed->plan.memory, GiB(2));
  EXPECT_EQ(parsed->plan.threads, 2U);
  EXPECT_EQ(parsed->plan.rate, 2000);
  EXPECT_EQ(parsed->plan.runs, 5U);
  EXPECT_EQ(parsed->plan.output.kind, BenchOutputPlan::Kind::kNull);
  EXPECT_FALSE(parsed->plan.record);
  EXPECT_EQ(NamesOf(parsed->plan),
            (std::vector<std::string>{"none", "skip", "ramp", "adaptive", "off", "fork", "stop"}));
}

TEST(BenchArgumentsTest, NoneIsAlwaysAmongTheMethodsAndEachThereOnce) {
  EXPECT_EQ(NamesOf(ParseBenchArguments({"--method", "off,skip,off"})->plan),
            (std::vector<std::string>{"none", "off", "skip"}));
  EXPECT_EQ(NamesOf(ParseBenchArguments({"--method", "stop,none"})->plan),
            (std::vector<std::string>{"stop", "none"}));
}

TEST(BenchArgumentsTest, AnotherProgramIsAMethodToo) {
  const auto parsed = ParseBenchArguments({"--method", "cat=cat /proc/$PID/maps > $OUTPUT,stop"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(NamesOf(parsed->plan), (std::vector<std::string>{"none", "cat", "stop"}));
  EXPECT_EQ(parsed->plan.methods[1]->command, "cat /proc/$PID/maps > $OUTPUT");
}

TEST(BenchArgumentsTest, OutputsAreRead) {
  const auto stall = ParseBenchArguments({"--output", "stall:50ms/250ms"});
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->plan.output.kind, BenchOutputPlan::Kind::kPipe);
  EXPECT_EQ(stall->plan.output.stall, std::chrono::milliseconds(50));
  EXPECT_EQ(stall->plan.output.period, std::chrono::milliseconds(250));
  EXPECT_EQ(stall->plan.output.bandwidth, Bytes{0});
  const auto once = ParseBenchArguments({"--output", "stall:1s/once"});
  ASSERT_TRUE(once);
  EXPECT_EQ(once->plan.output.stall, std::chrono::seconds(1));
  EXPECT_EQ(once->plan.output.period, Duration{0});
  const auto limit = ParseBenchArguments({"--output", "limit:100M"});
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->plan.output.bandwidth, MiB(100));
  const auto file = ParseBenchArguments({"--output", "/nonexistent/image"});
  ASSERT_TRUE(file);
  EXPECT_EQ(file->plan.output.path, "/nonexistent/image");
}

TEST(BenchArgumentsTest, MaxIsARateAndAReportAsksForARecord) {
  const auto parsed = ParseBenchArguments({"--rate", "max", "--report", "r.html"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->plan.rate, 0);
  EXPECT_TRUE(parsed->plan.record);
}

TEST(BenchArgumentsTest, WhatMakesNoSenseIsRefusedByName) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--workload", "busy"},
      {"--memory", "1K"},
      {"--memory", "2"},
      {"--threads", "0"},
      {"--threads", "33"},
      {"--rate", "0"},
      {"--rate", "-1"},
      {"--rate", "fast"},
      {"--method", "magic"},
      {"--method", ""},
      {"--method", "=x"},
      {"--method", "x="},

      {"--runs", "0"},
      {"--seed", "x"},
      {"--output", "/"},
      {"--output", "stall:50ms"},
      {"--output", "stall:9s/1s"},
      {"--output", "stall:50/250"},
      {"--output", "limit:"},
      {"--output", "limit:1"},
      {"--inject-stall", "1 hour"},
      {"--corrupt-after", "-"},
  };
  for (const auto& arguments : wrong) {
    const auto parsed = ParseBenchArguments(arguments);
    ASSERT_FALSE(parsed) << arguments[0] << " " << arguments[1];
    EXPECT_EQ(parsed.error().code, ErrorCode::kUsage);
    EXPECT_NE(parsed.error().message.find(arguments[0]), std::string::npos)
        << parsed.error().message;
  }
  EXPECT_FALSE(ParseBenchArguments({"word"}));
}

TEST(BenchArgumentsTest, HelpNamesEveryMethodAndWorkload) {
  const auto parsed = ParseBenchArguments({"--help"});
  ASSERT_TRUE(parsed);
  for (const auto& method : evaluate::BenchMethods()) {
    EXPECT_NE(parsed->help.find(method->name), std::string::npos) << method->name;
  }
  for (const auto& kind : evaluate::BenchWorkloadKinds()) {
    EXPECT_NE(parsed->help.find(kind.name), std::string::npos) << kind.name;
  }
}

}  // namespace
}  // namespace stillframe
