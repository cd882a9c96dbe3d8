// Saving via precopy, with things done to the target in the middle of its rounds.
#include <signal.h>

#include <string>
#include <vector>

#include "rounds.h"
#include "scripted.h"

namespace stillframe::test {
namespace {

class PrecopyTest : public RoundsTest {
 protected:
  std::vector<std::string> Way() const override { return {"--via", "precopy"}; }
};

// Each of them in the middle of the first round.
class DuringRoundsTest : public PrecopyTest, public testing::WithParamInterface<std::string> {};

TEST_P(DuringRoundsTest, NothingIsLostWhateverTheTargetDoes) {
  ScriptedTarget target;
  const CommandOutcome save =
      SaveAndMeanwhile(target.pid(), [&] { EXPECT_TRUE(target.Do(GetParam())); });
  ExpectWhole(save);
  EXPECT_EQ(target.WhatIsWrong(), "");
}

INSTANTIATE_TEST_SUITE_P(Actions, DuringRoundsTest,
                         testing::Values("write", "unmap", "replace", "remap", "grow", "dontneed",
                                         "free", "punch", "remove", "grow-heap", "shrink-heap",
                                         "spawn", "vfork", "readonly", "noaccess", "threads",
                                         "fork"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(PrecopyTest, ATargetThatExitsDuringTheRoundsLeavesNoImage) {
  ScriptedTarget target;
  const CommandOutcome save = SaveAndMeanwhile(target.pid(), [&] {
    target.Tell("exit");
    EXPECT_EQ(target.process().Wait(), 0);
  });
  EXPECT_EQ(save.exit_code, kExitTargetGone) << save.err;
  EXPECT_EQ(WrongInError(save.json), "") << save.err;
}

TEST_F(PrecopyTest, ATargetThatCallsExecDuringTheRoundsLeavesNoImage) {
  ScriptedTarget target;
  const CommandOutcome save = SaveAndMeanwhile(target.pid(), [&] {
    target.Tell("exec");
    EXPECT_TRUE(Eventually([&] { return StatusField(target.pid(), "Name") == "sleep"; }));
  });
  EXPECT_EQ(save.exit_code, kExitTargetGone) << save.err;
  EXPECT_EQ(save.json["error"]["code"], "target-gone") << save.err;
  EXPECT_NE(save.err.find("exec"), std::string::npos) << save.err;
  EXPECT_TRUE(target.process().IsRunning());
}

// What came while the rounds went on is saved too, in another short pause where it is large.
TEST_F(PrecopyTest, LargeNewMemoryIsCopiedInTheRoundsToo) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(
      Python("old=mmap.mmap(-1,24<<20,flags=anon)\n"
             "for i in range(0,len(old),4096): old[i]=1\n",
             "  if not os.path.exists(sys.argv[1]): time.sleep(.001); continue\n"
             "  new=mmap.mmap(-1,48<<20,flags=anon)\n"
             "  for i in range(0,len(new),4096): new[i]=2\n"
             "  print('mapped',flush=True)\n"
             "  time.sleep(100)\n",
             directory_ / "go"));
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  const CommandOutcome save = SaveAndMeanwhile(python.pid(), [&] {
    WriteFile(directory_ / "go", "");
    EXPECT_TRUE(python.WaitForOut("mapped")) << python.Err();
  });
  ExpectWhole(save);
  // Most of it was copied while the target ran.
  EXPECT_LT(save.json["pages"]["paused"], 8 * 1024);
}

TEST_F(PrecopyTest, LargeMemoryThatIsMappedAnewInTheSamePlaceIsCopiedInTheRoundsToo) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(
      Python("old=mmap.mmap(-1,48<<20,flags=anon)\n"
             "for i in range(0,len(old),4096): old[i]=1\n",
             "  if not os.path.exists(sys.argv[1]): time.sleep(.001); continue\n"
             "  old.close()\n"
             "  new=mmap.mmap(-1,48<<20,flags=anon)\n"
             "  for i in range(0,len(new),4096): new[i]=2\n"
             "  print('mapped',flush=True)\n"
             "  time.sleep(100)\n",
             directory_ / "go"));
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  const CommandOutcome save = SaveAndMeanwhile(python.pid(), [&] {
    WriteFile(directory_ / "go", "");
    EXPECT_TRUE(python.WaitForOut("mapped")) << python.Err();
  });
  ExpectWhole(save);
  EXPECT_LT(save.json["pages"]["paused"], 8 * 1024);
}

// 16 GiB reserved, little of it used: no page tables for the rest.
TEST_F(PrecopyTest, SparseMemoryGetsNoPageTables) {
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
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_LE(tables(), before + 256);
  EXPECT_EQ(WrongInSummary(save.json), "");
  EXPECT_GT(save.json["pages"]["zero"], 15u << 18);
  ExpectImageEqualsOracle(image(), copy(), save.json);
}

// A write to the file shows through the pages of a private mapping that were not written, and
// leaves no trace in it.
TEST_F(PrecopyTest, AFileThatIsWrittenUnderAPrivateMapping) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python(
      Python("f=tempfile.TemporaryFile(); f.write(b'f'*(16<<20)); f.flush()\n"
             "m=mmap.mmap(f.fileno(),16<<20,flags=mmap.MAP_PRIVATE,prot=3)\n"
             "for i in range(0,16<<20,8192): m[i]=1\n"
             "n=0\n",
             "  n+=1\n"
             "  os.pwrite(f.fileno(),bytes([n%250])*4096,random.randrange(4096)<<12)\n"
             "  m[random.randrange(4096)<<12]=n%250\n"
             "  if n%500==0: a=random.randrange(4000)<<12; m.madvise(4,a,65536)\n"));
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  ExpectWhole(SaveAndMeanwhile(
      python.pid(), [] {}, {}, 4 << 20));
}

TEST_F(PrecopyTest, APauseThatWillNotFitItsLimitCanEndTheSave) {
  WorkloadProcess workload({"--memory", "64M", "--threads", "2"});
  const CommandOutcome save =
      RunSave(workload.pid(), image(),
              {"--via", "precopy", "--pause-limit", "10us", "--over-pause-limit", "abort"});
  EXPECT_EQ(save.exit_code, kExitLimit) << save.err << save.out;
  EXPECT_EQ(WrongInError(save.json), "") << save.out;
  EXPECT_FALSE(Exists(image()));
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(PrecopyTest, AnInterruptedRoundLeavesNoImageAndNoTrace) {
  ScriptedTarget target;
  Subprocess save(SaveArgv(target.pid(), image(),
                           {"--via", "precopy", "--max-bandwidth", "1M", "--progress", "json"}));
  // Bytes go out, so it is in a round.
  ASSERT_TRUE(save.WaitForErr("\"saving\"")) << save.Err();
  save.Signal(SIGTERM);
  EXPECT_EQ(OutcomeOf(save, 20).exit_code, kExitSigterm) << save.Err();
  EXPECT_FALSE(Exists(image()));
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

}  // namespace
}  // namespace stillframe::test
