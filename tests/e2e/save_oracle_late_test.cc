// A late instant: what was copied before it, while the target ran, must be what stood there at it.
#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "rounds.h"
#include "scripted.h"

namespace stillframe::test {
namespace {

class LateTest : public RoundsTest {
 protected:
  std::vector<std::string> Way() const override { return {"--instant", "late"}; }
};

class LateWorkloadTest : public LateTest, public testing::WithParamInterface<OracleCase> {};

TEST_P(LateWorkloadTest, ImageEqualsTheCopyMadeAtTheInstant) {
  const OracleCase& with = GetParam();
  WorkloadProcess workload(with.workload);
  const nlohmann::json& arena = workload.description()["arena"];
  const AddressRange arena_range{{arena["begin"].get<uint64_t>()}, {arena["end"].get<uint64_t>()}};
  std::vector<std::string> options = with.save;
  options.insert(options.end(), {"--instant", "late"});
  const CommandOutcome save = Save(workload.pid(), options, with.output);
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
      << save.exit_code << save.err << save.out << workload.process().Err();
  EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
  EXPECT_EQ(save.json["instant"], "late");
  EXPECT_GE(save.json["rounds"]["count"], 1);
  EXPECT_EQ(save.exit_code == kExitLost, save.json["pages"]["lost"] != 0);
  ExpectImageEqualsOracle(image(), copy(), save.json);
  ExpectNothingLostIn(save.json, arena_range);
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, LateWorkloadTest,
    testing::Values(
        OracleCase{"EverythingAtFullRate", {"--memory", "128M", "--threads", "4"}, {}},
        OracleCase{"EverythingPaced", {"--memory", "256M", "--threads", "2", "--rate", "2000"}, {}},
        OracleCase{"StageOfOneMiB",
                   {"--memory", "64M", "--threads", "4"},
                   {"--stage", "1M", "--max-stall", "20s"}},
        OracleCase{"Bandwidth100M",
                   {"--memory", "48M", "--threads", "2", "--rate", "2000"},
                   {"--max-bandwidth", "100M", "--max-stall", "20s"}},
        OracleCase{"StallingFifo",
                   {"--memory", "64M", "--threads", "4"},
                   {"--max-stall", "20s"},
                   OutputKind::kFifo}),
    [](const auto& info) { return info.param.name; });

// What the target does in the middle of the first round is in the image as it is at the instant.
class LateDuringRoundsTest : public LateTest, public testing::WithParamInterface<std::string> {};

TEST_P(LateDuringRoundsTest, NothingIsLostWhateverTheTargetDoes) {
  ScriptedTarget target;
  const CommandOutcome save =
      SaveAndMeanwhile(target.pid(), [&] { EXPECT_TRUE(target.Do(GetParam())); });
  ExpectWhole(save);
  EXPECT_EQ(target.WhatIsWrong(), "");
}

INSTANTIATE_TEST_SUITE_P(Actions, LateDuringRoundsTest,
                         testing::Values("write", "unmap", "replace", "remap", "grow", "dontneed",
                                         "free", "grow-heap", "shrink-heap", "spawn", "vfork",
                                         "readonly", "noaccess", "threads", "fork"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(LateTest, ATargetThatExitsDuringTheRoundsLeavesNoImage) {
  ScriptedTarget target;
  const CommandOutcome save = SaveAndMeanwhile(target.pid(), [&] {
    target.Tell("exit");
    EXPECT_EQ(target.process().Wait(), 0);
  });
  EXPECT_EQ(save.exit_code, kExitTargetGone) << save.err;
  EXPECT_EQ(WrongInError(save.json), "") << save.err;
}

TEST_F(LateTest, ATargetThatCallsExecDuringTheRoundsLeavesNoImage) {
  ScriptedTarget target;
  const CommandOutcome save = SaveAndMeanwhile(target.pid(), [&] {
    target.Tell("exec");
    EXPECT_TRUE(Eventually([&] { return StatusField(target.pid(), "Name") == "sleep"; }));
  });
  EXPECT_EQ(save.exit_code, kExitTargetGone) << save.err;
  EXPECT_EQ(save.json["error"]["code"], "target-gone") << save.err;
  EXPECT_TRUE(target.process().IsRunning());
}

TEST_F(LateTest, AnInterruptedRoundLeavesNoImageAndNoTrace) {
  ScriptedTarget target;
  Subprocess save(SaveArgv(target.pid(), image(),
                           {"--instant", "late", "--max-bandwidth", "1M", "--progress", "json"}));
  ASSERT_TRUE(save.WaitForErr("\"saving\"")) << save.Err();
  save.Signal(SIGTERM);
  EXPECT_EQ(OutcomeOf(save, 20).exit_code, kExitSigterm) << save.Err();
  EXPECT_FALSE(Exists(image()));
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

// A read with O_DIRECT writes behind the protection: none that ran when a page was armed may run
// still when that is copied.
TEST_F(LateTest, CallsThatRanWhenAPageWasArmedAreOverBeforeItIsCopied) {
  WorkloadProcess workload({"--memory", "32M", "--threads", "2"});
  SubprocessOptions options;
  options.environment["STILLFRAME_FAIL_TRACE"] = directory_ / "trace";
  const CommandOutcome save = RunSave(workload.pid(), image(), {"--instant", "late"}, options);
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost) << save.err;
  bool armed = false;
  uint64_t copied = 0;
  for (const std::string& step : Lines(ReadFile(directory_ / "trace"))) {
    armed = (armed || step == "uffd.arm") && step != "late.awaited";
    if (step != "late.copied") continue;
    ++copied;
    ASSERT_FALSE(armed) << "copy number " << copied;
  }
  if (!Exists(directory_ / "trace")) GTEST_SKIP() << "*** SKIPPED *** built without fail points";
  EXPECT_GT(copied, 0u);
  EXPECT_EQ(workload.Finish(), 0);
}

// Pages that go, come again and move about, all the time and all over the memory.
TEST_F(LateTest, PagesThatComeGoAndMoveAllTheTime) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(
      Python("P=4096\nS=48<<20\n"
             "m=mmap.mmap(-1,S,flags=anon|0x4000)\n"
             "for i in range(0,S//2,P): m[i]=1\n"
             "k=[mmap.mmap(-1,64*P,flags=anon) for _ in range(32)]\n"
             "t=0\n",
             "  t+=1\n"
             "  i=random.randrange(S//P-64)*P\n"
             "  m.madvise(4,i,16*P)\n"
             "  for _ in range(20): m[random.randrange(S)]=t&255\n"
             "  j=random.randrange(32)\n"
             "  if t%3==0: k[j].resize(P*random.randrange(32,4096))\n"
             "  if t%7==0: k[j].close(); k[j]=mmap.mmap(-1,64*P,flags=anon)\n"
             "  for _ in range(20): k[j][random.randrange(32*P)]=t&255\n"));
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  const CommandOutcome save = Save(python.pid(), {"--instant", "late"});
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost) << save.err;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
  ExpectImageEqualsOracle(image(), copy(), save.json);
  EXPECT_TRUE(python.IsRunning()) << python.Err();
}

// Maps and unmaps all the time, and the output is slow: what is saved after the instant comes too
// late for many of its pages, and a late instant leaves hardly any of them to be saved after it.
TEST_F(LateTest, HardlyAPageIsLostToATargetThatUnmapsAllTheTime) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(
      Python("P=4096\nk=[]\n"
             "def new():\n"
             "  m=mmap.mmap(-1,8*P,flags=anon)\n"
             "  for i in range(0,8*P,P): m[i]=1\n"
             "  return m\n"
             "k=[new() for _ in range(2000)]\n",
             "  j=random.randrange(2000); k[j].close(); k[j]=new(); time.sleep(.001)\n"));
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  const std::vector<std::string> slow = {"--max-bandwidth", "64M", "--max-stall", "20s",
                                         "--compress",      "none"};
  const CommandOutcome now = Save(python.pid(), slow);
  EXPECT_EQ(now.exit_code, kExitLost) << now.err;
  const uint64_t lost_now = now.json["pages"]["lost"];
  ASSERT_GT(lost_now, 500u) << "nothing to compare with";
  std::filesystem::remove_all(copy());
  std::filesystem::remove(image());
  std::vector<std::string> late = slow;
  late.insert(late.end(), {"--instant", "late"});
  const CommandOutcome save = Save(python.pid(), late);
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost) << save.err;
  EXPECT_LE(save.json["pages"]["lost"].get<uint64_t>() * 5, lost_now) << save.json.dump(1);
  ExpectImageEqualsOracle(image(), copy(), save.json);
}

// 16 GiB reserved, little of it used: no page tables for the rest.
TEST_F(LateTest, SparseMemoryGetsNoPageTables) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(
      Python("m=mmap.mmap(-1,16<<30,flags=anon|0x4000)\n"
             "for i in range(0,16<<30,64<<20): m[i]=1\n"
             "for i in range(10<<30,(10<<30)+(24<<20),4096): m[i]=1\n",
             "  m[random.randrange(256)<<26]=2; time.sleep(.0001)\n"));
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  const auto tables = [&] { return std::stoull(StatusField(python.pid(), "VmPTE")); };
  const auto before = tables();
  const CommandOutcome save =
      SaveAndMeanwhile(python.pid(), [&] { EXPECT_LE(tables(), before + 256); });
  ExpectWhole(save);
  EXPECT_LE(tables(), before + 256);
  EXPECT_GT(save.json["pages"]["zero"], 15u << 18);
}

}  // namespace
}  // namespace stillframe::test
