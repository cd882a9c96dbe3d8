// Targets that are not like us: of another user, in namespaces, under a filter that kills, not
// dumpable.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "image_check.h"
#include "scripted.h"
#include "support/files.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

class ConfinedTargetTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  void ExpectSavedWhole(pid_t pid) {
    const auto before = DescriptorsOf(pid);
    const CommandOutcome save = RunSave(pid, directory_ / "image", WithOracle(directory_ / "copy"));
    ASSERT_EQ(save.exit_code, kExitDone) << save.err << save.out;
    EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
    ExpectImageEqualsOracle(directory_ / "image", directory_ / "copy", save.json);
    EXPECT_EQ(TracesLeftOn(pid, before), "");
  }

  TempDir directory_;
};

TEST_F(ConfinedTargetTest, OfAnUnprivilegedUser) {
  WorkloadProcess workload(
      {"--memory", "32M", "--only", "random,sequential,shared", "--rate", "20000"},
      {.user = 65534});
  ASSERT_EQ(StatusField(workload.pid(), "Uid").substr(0, 5), "65534");
  ExpectSavedWhole(workload.pid());
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(ConfinedTargetTest, InUserPidAndMountNamespaces) {
  Subprocess unshare({"unshare", "--user", "--map-root-user", "--pid", "--mount", "--fork",
                      "--kill-child", Binary("stillframe-workload"), "--memory", "32M", "--only",
                      "random,sequential", "--rate", "20000"});
  ASSERT_TRUE(unshare.WaitForOut("ready")) << unshare.Err();
  const std::vector<pid_t> children = ChildrenOf(unshare.pid());
  ASSERT_EQ(children.size(), 1);
  // Its own view of itself is another.
  EXPECT_NE(unshare.Out().find("\"pid\":1}"), std::string::npos) << unshare.Out();
  ExpectSavedWhole(children[0]);
  EXPECT_TRUE(unshare.IsRunning()) << unshare.Err();
  EXPECT_EQ(StatusField(children[0], "TracerPid"), "0");
}

TEST_F(ConfinedTargetTest, UnderAFilterThatKillsWhateverWeInject) {
  ScriptedTarget target(4);
  ASSERT_TRUE(target.Do("seccomp"));
  ASSERT_EQ(StatusField(target.pid(), "Seccomp"), "2");
  ExpectSavedWhole(target.pid());
  EXPECT_EQ(StatusField(target.pid(), "Seccomp"), "2");
  EXPECT_TRUE(target.Do("write"));
}

TEST_F(ConfinedTargetTest, NotDumpable) {
  ScriptedTarget target(4);
  ASSERT_TRUE(target.Do("undumpable"));
  ExpectSavedWhole(target.pid());
  EXPECT_TRUE(target.Do("write"));
}

TEST_F(ConfinedTargetTest, WithoutAnyFreeDescriptor) {
  ScriptedTarget target(2);
  const rlimit none{.rlim_cur = 3, .rlim_max = 3};
  ASSERT_EQ(prlimit(target.pid(), RLIMIT_NOFILE, &none, nullptr), 0);
  const CommandOutcome save = RunSave(target.pid(), directory_ / "image");
  // The userfaultfd has no place there: a clear error, and the target as it was.
  EXPECT_EQ(save.exit_code, kExitUnsupported) << save.err << save.out;
  EXPECT_EQ(WrongInError(save.json), "") << save.out;
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

}  // namespace
}  // namespace stillframe::test
