// The decisive test for the ways in which nothing can be lost, whatever the target does: a forked
// copy, a target that stands still throughout, and copying in rounds.
#include <signal.h>

#include <string>
#include <vector>

#include "save_oracle.h"
#include "scripted.h"

namespace stillframe::test {
namespace {

class WaysOracleTest : public SaveOracleTest, public testing::WithParamInterface<std::string> {
 protected:
  std::vector<std::string> Via(std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--via", GetParam()});
    return more;
  }

  // Everything is saved, by the pause or from the child, and equals the oracle's copy.
  void ExpectWhole(const CommandOutcome& save) {
    ASSERT_EQ(save.exit_code, kExitDone) << save.err << save.out;
    EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
    EXPECT_EQ(save.json["via"], GetParam());
    EXPECT_EQ(save.json["pages"]["lost"], 0);
    EXPECT_EQ(save.json["pages"]["faulted"], 0);
    EXPECT_GT(save.json["pages"]["paused"], 0);
    EXPECT_EQ(save.json["pages"]["scanned"] == 0, GetParam() == "stop");
    // No throttle and no stage.
    EXPECT_EQ(save.json["throttle"]["policy"], "none");
    EXPECT_EQ(save.json["stage"]["bytes"], 0);
    EXPECT_EQ(save.json["wait_us"]["count"], 0);
    ExpectImageEqualsOracle(image(), copy(), save.json);
  }

  void ExpectWorkloadIsSaved(std::vector<std::string> arguments, std::vector<std::string> more = {},
                             OutputKind output = OutputKind::kFile) {
    // With an io_uring it would be refused, see below.
    if (GetParam() == "stop") arguments.insert(arguments.end(), {"--without", "uring,uring-fixed"});
    WorkloadProcess workload(arguments);
    ExpectWhole(Save(workload.pid(), Via(std::move(more)), output));
    EXPECT_EQ(workload.WhatIsWrong(), "");
    EXPECT_EQ(workload.Finish(), 0);
  }
};

TEST_P(WaysOracleTest, WorkloadAtFullRate) {
  ExpectWorkloadIsSaved({"--memory", "256M", "--threads", "4"});
}

TEST_P(WaysOracleTest, PacedWriters) {
  ExpectWorkloadIsSaved({"--memory", "256M", "--rate", "2000"});
}

TEST_P(WaysOracleTest, WorkloadToAStallingFifo) {
  ExpectWorkloadIsSaved({"--memory", "64M", "--threads", "4"}, {}, OutputKind::kFifo);
}

TEST_P(WaysOracleTest, WorkloadWithABandwidthLimit) {
  ExpectWorkloadIsSaved({"--memory", "64M", "--threads", "4"}, {"--max-bandwidth", "100M"});
}

TEST_P(WaysOracleTest, RedisUnderLoad) {
  STILLFRAME_REQUIRE(MissingProgram("redis-server"));
  const auto redis = RedisServer::Start();
  ASSERT_NE(redis, nullptr);
  redis->Fill(200'000, 500);
  const auto load = redis->StartLoad();
  ExpectWhole(Save(redis->pid(), Via()));
  ExpectRedisIsWell(*redis);
  EXPECT_TRUE(load->IsRunning()) << load->Out() << load->Err();
}

TEST_P(WaysOracleTest, PythonThatIsBusy) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(BusyPython());
  ASSERT_TRUE(python.WaitForOut("..........")) << python.Err();
  ExpectWhole(Save(python.pid(), Via()));
  const size_t dots = python.Out().size();
  EXPECT_TRUE(Eventually([&] { return python.Out().size() > dots + 2; }));
}

// What a fork does not hand on, or not as it was, and what nobody can arm.
TEST_P(WaysOracleTest, MemoryThatAForkDoesNotFreeze) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(
      {"python3", "-c",
       "import mmap,tempfile\n"
       "def fill(m,b):\n"
       "  for i in range(0,len(m),8192): m[i]=b\n"
       "anon=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS\n"
       "shared=mmap.mmap(-1,8<<20); fill(shared,1)\n"
       "dontfork=mmap.mmap(-1,8<<20,flags=anon); fill(dontfork,2); dontfork.madvise(10)\n"
       "wipe=mmap.mmap(-1,8<<20,flags=anon); fill(wipe,3); wipe.madvise(18)\n"
       "f=tempfile.TemporaryFile(); f.write(b'f'*(8<<20)); f.flush()\n"
       "private=mmap.mmap(f.fileno(),8<<20,flags=mmap.MAP_PRIVATE,prot=3); fill(private,4)\n"
       "plain=mmap.mmap(-1,8<<20,flags=anon); fill(plain,5)\n"
       "print('ready',flush=True)\n"
       "n=0\n"
       "while True:\n"
       "  n=(n+1)%250\n"
       "  for m in (shared,dontfork,wipe,private,plain): fill(m,n)\n"});
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  const CommandOutcome save = Save(python.pid(), Via({"--max-bandwidth", "40M"}));
  ExpectWhole(save);
  // Those four, each of which has a page in two.
  if (GetParam() != "precopy") {
    EXPECT_GE(save.json["pages"]["paused"], 4 * 1024);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, WaysOracleTest, testing::Values("stop", "fork", "precopy"),
                         [](const auto& info) { return info.param; });

// After the instant the target may do what it likes.
class AfterTheForkTest : public SaveOracleTest, public testing::WithParamInterface<std::string> {
 protected:
  // A slow save, in whose pause the target is told to do `action`.
  std::vector<std::string> While(const std::string& action) const {
    std::vector<std::string> more = WithOracle(copy());
    more.back() += " && echo " + action + " > " + target_.fifo();
    more.insert(more.end(), {"--via", "fork", "--max-bandwidth", "24M"});
    return more;
  }

  ScriptedTarget target_;
};

TEST_P(AfterTheForkTest, NothingIsLostWhateverTheTargetDoes) {
  const CommandOutcome save = RunSave(target_.pid(), image(), While(GetParam()));
  ASSERT_EQ(save.exit_code, kExitDone) << save.err << save.out;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
  ExpectImageEqualsOracle(image(), copy(), save.json);
  if (GetParam() == "exit") {
    EXPECT_EQ(target_.process().Wait(), 0);
  } else if (GetParam() == "exec") {
    EXPECT_EQ(StatusField(target_.pid(), "Name"), "sleep");
  } else {
    EXPECT_EQ(target_.WhatIsWrong(), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Actions, AfterTheForkTest,
                         testing::Values("unmap", "replace", "dontneed", "exec", "exit"),
                         [](const auto& info) { return info.param; });

TEST_F(SaveOracleTest, AForkedCopyThatIsKilledLeavesNoImageAndNoTrace) {
  ScriptedTarget target;
  Subprocess save(SaveArgv(target.pid(), image(),
                           {"--via", "fork", "--max-bandwidth", "1M", "--exec-paused",
                            "touch " + (directory_ / "instant")}));
  ASSERT_TRUE(Eventually([&] { return Exists(directory_ / "instant"); }));
  std::vector<pid_t> children;
  ASSERT_TRUE(Eventually([&] {
    children = ChildrenOf(target.pid());
    return !children.empty() && StateOf(target.pid()) != 't';
  }));
  ASSERT_EQ(children.size(), 1u);
  kill(children[0], SIGKILL);
  const CommandOutcome outcome = OutcomeOf(save);
  EXPECT_EQ(outcome.exit_code, kExitLimit) << outcome.err << outcome.out;
  EXPECT_EQ(WrongInError(outcome.json), "") << outcome.out;
  EXPECT_NE(outcome.err.find("was killed"), std::string::npos) << outcome.err;
  EXPECT_FALSE(Exists(image()));
  EXPECT_TRUE(Eventually([&] { return ChildrenOf(target.pid()).empty(); }));
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

// Only these two take a target whose memory somebody else watches already.
TEST_F(SaveOracleTest, ATargetWithAUserfaultfdOfItsOwnCanBeStopped) {
  ScriptedTarget target;
  ASSERT_TRUE(target.Do("userfaultfd"));
  const CommandOutcome save = Save(target.pid(), {"--via", "stop"});
  ASSERT_EQ(save.exit_code, kExitDone) << save.err << save.out;
  ExpectImageEqualsOracle(image(), copy(), save.json);
}

// The kernel would go on writing for it.
TEST_F(SaveOracleTest, ATargetWithAnIoUringIsNotSavedByAStop) {
  WorkloadProcess workload({"--memory", "16M", "--threads", "1", "--only", "random,uring"});
  const CommandOutcome save = RunSave(workload.pid(), image(), {"--via", "stop"});
  EXPECT_EQ(save.exit_code, kExitUnsupported) << save.err << save.out;
  EXPECT_NE(save.err.find("io_uring"), std::string::npos) << save.err;
  EXPECT_FALSE(Exists(image()));
  EXPECT_EQ(workload.WhatIsWrong(), "");
}

TEST_F(SaveOracleTest, AStopInTheMiddleOfAnInterruptedSaveEnds) {
  ScriptedTarget target;
  Subprocess save(SaveArgv(target.pid(), image(),
                           {"--via", "stop", "--max-bandwidth", "1M", "--exec-paused",
                            "touch " + (directory_ / "instant")}));
  ASSERT_TRUE(Eventually([&] { return Exists(directory_ / "instant"); }));
  EXPECT_EQ(StateOf(target.pid()), 't');
  save.Signal(SIGINT);
  EXPECT_EQ(OutcomeOf(save, 20).exit_code, kExitSigint) << save.Err();
  EXPECT_FALSE(Exists(image()));
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

TEST_F(SaveOracleTest, ATargetThatIsKilledWhileItStandsStillLeavesNoImage) {
  ScriptedTarget target;
  const CommandOutcome save =
      RunSave(target.pid(), image(), {"--via", "stop", "--exec-paused", "kill -9 $STILLFRAME_PID"});
  EXPECT_EQ(save.exit_code, kExitTargetGone) << save.err << save.out;
  EXPECT_EQ(WrongInError(save.json), "") << save.out;
  EXPECT_FALSE(Exists(image()));
}

}  // namespace
}  // namespace stillframe::test
