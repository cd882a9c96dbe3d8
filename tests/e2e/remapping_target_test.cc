// A target that grows, shrinks and moves a mapping all the time. mremap(2) wants all of it to be
// one mapping of the kernel: a userfaultfd registered on, or taken away from, a part of it makes it
// two, and the target's call fails with EFAULT.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

class RemappingTargetTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  void SaveOften(std::vector<std::string> options) {
    options.push_back("--force");
    for (int round = 0; round < 30; ++round) {
      const CommandOutcome save = RunSave(workload_.pid(), directory_ / "image", options);
      ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
          << "round " << round << ": " << save.err << workload_.process().Err();
      ASSERT_EQ(workload_.WhatIsWrong(), "") << "round " << round;
    }
    EXPECT_EQ(workload_.Finish(), 0);
  }

  TempDir directory_;
  // 16 MiB on average, so that what is done to it in steps takes several.
  WorkloadProcess workload_{{"--memory", "512M", "--only", "remap"}};
};

TEST_F(RemappingTargetTest, NeverSeesACallFailDuringASave) { SaveOften({}); }

TEST_F(RemappingTargetTest, NeverSeesACallFailDuringASaveInRounds) {
  SaveOften({"--via", "precopy"});
}

// The target is released while much of the stage still waits for the output.
TEST_F(RemappingTargetTest, IsReleasedWhileTheOutputIsSlow) {
  for (int round = 0; round < 3; ++round) {
    const CommandOutcome save =
        RunSave(workload_.pid(), directory_ / "image",
                {"--force", "--max-bandwidth", "8M", "--max-stall", "60s"}, {}, 60);
    ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
        << "round " << round << ": " << save.exit_code << save.err << workload_.process().Err();
    EXPECT_EQ(WrongInSummary(save.json), "") << save.out;
    ASSERT_EQ(workload_.WhatIsWrong(), "") << "round " << round;
  }
  EXPECT_EQ(workload_.Finish(), 0);
}

TEST_F(RemappingTargetTest, NeverSeesACallFailWhenTheSaveIsKilled) {
  for (int round = 0; round < 30; ++round) {
    Subprocess save(SaveArgv(workload_.pid(), directory_ / "image", {"--force"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * round));
    save.Signal(SIGKILL);
    ASSERT_TRUE(save.Wait());
    ASSERT_EQ(workload_.WhatIsWrong(), "") << "round " << round;
  }
  EXPECT_EQ(workload_.Finish(), 0);
}

}  // namespace
}  // namespace stillframe::test
