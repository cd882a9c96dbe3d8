// Memory that arming before the pause could get wrong: transparent huge pages, which must stay what
// they are; large reserved ranges with little in them; pages that come and go all the time.
#include <unistd.h>

#include <charconv>
#include <string>
#include <vector>

#include "save_oracle.h"
#include "scripted.h"

namespace stillframe::test {
namespace {

// `body` is run again and again, with m a mapping of `mib` MiB, r a random generator.
std::vector<std::string> Python(const std::string& mib, const std::string& before,
                                const std::string& body) {
  return {"python3", "-c",
          "import mmap,random,time,sys\n"
          "P=4096\n"
          "SIZE=" +
              mib +
              "<<20\n"
              "m=mmap.mmap(-1,SIZE,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x4000)\n"
              "r=random.Random(7)\n" +
              before +
              "\nturn=0\n"
              "while True:\n"
              "    turn+=1\n" +
              body + "\n    if turn%100==0: sys.stdout.write('.'); sys.stdout.flush()\n"};
}

// Of all mappings of the process, in KiB.
uint64_t SumOf(pid_t pid, const std::string& field) {
  for (const std::string& line :
       Lines(ReadFile("/proc/" + std::to_string(pid) + "/smaps_rollup"))) {
    if (!line.starts_with(field + ":")) continue;
    uint64_t kib = 0;
    const size_t digits = line.find_first_of("0123456789");
    std::from_chars(line.data() + digits, line.data() + line.size(), kib);
    return kib;
  }
  return 0;
}

uint64_t PageTables(pid_t pid) {
  const std::string text = StatusField(pid, "VmPTE");
  uint64_t kib = 0;
  std::from_chars(text.data(), text.data() + text.size(), kib);
  return kib;
}

class PreArmOracleTest : public SaveOracleTest {
 protected:
  void SetUp() override {
    SaveOracleTest::SetUp();
    STILLFRAME_REQUIRE(MissingProgram("python3"));
  }
  void ExpectSaved(Subprocess& target, const std::vector<std::string>& more = {}) {
    save_ = Save(target.pid(), more);
    ASSERT_TRUE(save_.exit_code == kExitDone || save_.exit_code == kExitLost)
        << save_.exit_code << save_.err;
    EXPECT_EQ(WrongInSummary(save_.json), "") << save_.json.dump(1);
    ExpectImageEqualsOracle(image(), copy(), save_.json);
    const size_t dots = target.Out().size();
    EXPECT_TRUE(Eventually([&] { return target.Out().size() > dots + 2; }));
  }
  CommandOutcome save_;
};

class HugePagesTest : public PreArmOracleTest, public testing::WithParamInterface<std::string> {};

TEST_P(HugePagesTest, AreKeptWhole) {
  Subprocess target(Python("64",
                           "m.madvise(mmap.MADV_HUGEPAGE)\n"
                           "for i in range(0,SIZE,P): m[i]=1",
                           "    i=r.randrange(SIZE); m[i]=(m[i]+1)&255\n    time.sleep(0.0005)"));
  ASSERT_TRUE(target.WaitForOut("..")) << target.Err();
  const uint64_t before = SumOf(target.pid(), "AnonHugePages");
  if (before < 32 * 1024) GTEST_SKIP() << "*** SKIPPED *** no transparent huge pages here";
  ExpectSaved(target, {"--instant", GetParam()});
  EXPECT_EQ(save_.json["pages"]["lost"], 0);
  EXPECT_GE(SumOf(target.pid(), "AnonHugePages") * 10, before * 9);
}

INSTANTIATE_TEST_SUITE_P(Instants, HugePagesTest, testing::Values("now", "late"),
                         [](const auto& info) { return info.param; });

TEST_F(PreArmOracleTest, ALargeReservedRangeCostsNoPageTables) {
  // 4 GiB, a page in each of 2,000 places far apart, new ones all the time.
  Subprocess target(Python("4096", "for i in range(2000): m[r.randrange(SIZE)]=1",
                           "    m[r.randrange(64<<20)]=turn&255\n    time.sleep(0.0005)"));
  ASSERT_TRUE(target.WaitForOut("..")) << target.Err();
  const uint64_t before = PageTables(target.pid());
  ExpectSaved(target);
  // Marks stand only where there is a page table already.
  EXPECT_LE(PageTables(target.pid()), before + before / 4 + 256);
}

TEST_F(PreArmOracleTest, PagesThatComeAndGoAllTheTime) {
  Subprocess target(Python("64", "for i in range(0,SIZE//2,P): m[i]=1",
                           "    i=r.randrange(SIZE//P-64)*P\n"
                           "    m.madvise(mmap.MADV_DONTNEED,i,16*P)\n"
                           "    for k in range(20): m[r.randrange(SIZE)]=turn&255"));
  ASSERT_TRUE(target.WaitForOut("....")) << target.Err();
  ExpectSaved(target);
}

TEST_F(PreArmOracleTest, MappingsThatAreReplacedAllTheTime) {
  Subprocess target(
      Python("16", "k=[mmap.mmap(-1,256*P) for _ in range(64)]",
             "    i=r.randrange(64)\n"
             "    k[i].close()\n"
             "    k[i]=mmap.mmap(-1,256*P,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS)\n"
             "    for _ in range(20): k[i][r.randrange(256*P)]=1\n"
             "    m[r.randrange(SIZE)]=turn&255"));
  ASSERT_TRUE(target.WaitForOut("....")) << target.Err();
  ExpectSaved(target);
}

// More than is armed in the pause, so that it is registered in a stop of its own.
TEST_F(PreArmOracleTest, MuchMemoryThatIsReplacedAllTheTime) {
  // MAP_POPULATE: all of it has pages at once.
  Subprocess target(
      Python("16", "k=[mmap.mmap(-1,4096*P) for _ in range(8)]",
             "    i=r.randrange(8)\n"
             "    k[i].close()\n"
             "    k[i]=mmap.mmap(-1,4096*P,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x8000)\n"
             "    for _ in range(20): k[i][r.randrange(4096*P)]=turn&255\n"
             "    m[r.randrange(SIZE)]=turn&255\n"
             "    if turn%10==0: sys.stdout.write('.'); sys.stdout.flush()"));
  ASSERT_TRUE(target.WaitForOut("....")) << target.Err();
  ExpectSaved(target);
}

class OverPauseLimitTest : public SaveOracleTest,
                           public testing::WithParamInterface<std::string> {};

TEST_P(OverPauseLimitTest, GivesTheImageUp) {
  ScriptedTarget target;
  const CommandOutcome save =
      RunSave(target.pid(), image(),
              {"--via", GetParam(), "--pause-limit", "10us", "--over-pause-limit", "abort"});
  EXPECT_EQ(save.exit_code, kExitLimit) << save.err << save.out;
  EXPECT_EQ(WrongInError(save.json), "") << save.out;
  EXPECT_FALSE(Exists(image()));
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

TEST_P(OverPauseLimitTest, IsToldOfOtherwise) {
  ScriptedTarget target;
  const CommandOutcome save =
      RunSave(target.pid(), image(), {"--via", GetParam(), "--pause-limit", "10us"});
  EXPECT_EQ(save.exit_code, kExitDone) << save.err << save.out;
  EXPECT_EQ(save.json["pause"]["limit_met"], false);
  EXPECT_EQ(target.WhatIsWrong(), "");
}

INSTANTIATE_TEST_SUITE_P(Ways, OverPauseLimitTest, testing::Values("wp", "fork", "stop", "precopy"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace stillframe::test
