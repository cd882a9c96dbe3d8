// The decisive test: the image equals, byte for byte, what another means read while the target
// stood still.
#include "save_oracle.h"

namespace stillframe::test {
namespace {

class WorkloadOracleTest : public SaveOracleTest, public testing::WithParamInterface<OracleCase> {};

TEST_P(WorkloadOracleTest, ImageEqualsTheCopyMadeAtTheInstant) {
  const OracleCase& with = GetParam();
  WorkloadProcess workload(with.workload);
  const nlohmann::json& arena = workload.description()["arena"];
  const AddressRange arena_range{{arena["begin"].get<uint64_t>()}, {arena["end"].get<uint64_t>()}};
  const CommandOutcome save = Save(workload.pid(), with.save, with.output);
  // Blocks that the workload frees meanwhile may be lost, and are listed then.
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
      << save.exit_code << save.err << save.out << workload.process().Err();
  EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
  EXPECT_EQ(save.exit_code == kExitLost, save.json["pages"]["lost"] != 0);
  ExpectImageEqualsOracle(image(), copy(), save.json);
  ExpectNothingLostIn(save.json, arena_range);
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

const std::vector<std::string> kEverything = {"--memory", "256M", "--threads", "4"};
const std::vector<std::string> kSmaller = {"--memory", "96M", "--threads", "4"};

INSTANTIATE_TEST_SUITE_P(
    Cases, WorkloadOracleTest,
    testing::Values(
        OracleCase{"EverythingAtFullRate", kEverything, {}},
        OracleCase{"EverythingWithTickets", {"--memory", "128M", "--tickets"}, {}},
        OracleCase{"WritersOnly", {"--memory", "512M", "--only", "random,sequential"}, {}},
        OracleCase{"PacedWriters", {"--memory", "256M", "--rate", "2000"}, {}},
        OracleCase{"ThrottleOff", kEverything, {"--throttle", "off"}},
        OracleCase{"ThrottleRamp", kEverything, {"--throttle", "ramp"}},
        OracleCase{"ThrottleAdaptive", kEverything, {"--throttle", "adaptive"}},
        OracleCase{"StageOfOneMiB", kSmaller, {"--stage", "1M", "--max-stall", "20s"}},
        OracleCase{"Bandwidth50M", kSmaller, {"--max-bandwidth", "50M", "--max-stall", "20s"}},
        OracleCase{"StallingFifo", kSmaller, {"--max-stall", "20s"}, OutputKind::kFifo},
        OracleCase{"StallingFifoSmallStage",
                   kSmaller,
                   {"--stage", "1M", "--max-stall", "20s"},
                   OutputKind::kFifo},
        OracleCase{"Stdout", kSmaller, {"--max-stall", "20s"}, OutputKind::kStdout}),
    [](const auto& info) { return info.param.name; });

TEST_F(SaveOracleTest, RedisUnderLoad) {
  STILLFRAME_REQUIRE(MissingProgram("redis-server"));
  const auto redis = RedisServer::Start();
  ASSERT_NE(redis, nullptr);
  redis->Fill(200'000, 500);
  const auto load = redis->StartLoad();
  const CommandOutcome save = Save(redis->pid(), {});
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
      << save.exit_code << save.err;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
  EXPECT_GT(save.json["pages"]["faulted"], 0);
  ExpectImageEqualsOracle(image(), copy(), save.json);
  ExpectRedisIsWell(*redis);
  EXPECT_TRUE(load->IsRunning()) << load->Out() << load->Err();
}

TEST_F(SaveOracleTest, PythonThatIsBusy) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(BusyPython());
  ASSERT_TRUE(python.WaitForOut("..........")) << python.Err();
  const CommandOutcome save = Save(python.pid(), {});
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
      << save.exit_code << save.err;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
  ExpectImageEqualsOracle(image(), copy(), save.json);
  const size_t dots = python.Out().size();
  EXPECT_TRUE(Eventually([&] { return python.Out().size() > dots + 2; }));
}

}  // namespace
}  // namespace stillframe::test
