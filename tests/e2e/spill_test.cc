// A full stage: what is done about it is the user's choice, and whatever it is, the image is right
// or there is none, and the target runs.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "save_oracle.h"
#include "scripted.h"
#include "support/binaries.h"
#include "support/small_disk.h"

namespace stillframe::test {
namespace {

// Writers that fill any stage at once.
const std::vector<std::string> kWriters = {"--memory", "32M", "--only", "random", "--threads", "2"};
const std::vector<std::string> kEverything = {"--memory", "64M", "--threads", "4"};

class SpillTest : public SaveOracleTest {
 protected:
  void SetUp() override {
    SaveOracleTest::SetUp();
    mkdir(spill().c_str(), 0700);
  }

  std::string spill() const { return directory_ / "spill"; }
  // Options for a stage that is soon full. An hour: whatever ends the save, it is not --max-stall.
  std::vector<std::string> Small(const std::string& on_full,
                                 const std::vector<std::string>& more = {}) const {
    std::vector<std::string> options = {"--stage",     "1M",    "--on-full",   on_full,
                                        "--spill-dir", spill(), "--max-stall", "3600s"};
    options.insert(options.end(), more.begin(), more.end());
    return options;
  }
  // The environment of a command whose spill file lies on such a device.
  static SubprocessOptions Device(const std::string& behaviour) {
    SubprocessOptions options;
    options.environment["LD_PRELOAD"] = TestTarget("libspill_device.so");
    options.environment["STILLFRAME_TEST_SPILL_DEVICE"] = behaviour;
    return options;
  }

  void ExpectRightImage(const CommandOutcome& save) {
    ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
        << save.exit_code << save.err << save.out;
    EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
    EXPECT_EQ(save.exit_code == kExitLost, save.json["pages"]["lost"] != 0);
    ExpectImageEqualsOracle(image(), copy(), save.json);
  }
  static int64_t Spilled(const CommandOutcome& save) {
    if (!save.json.contains("stage")) return -1;
    return save.json["stage"].value("spilled_bytes", int64_t{-1});
  }
  void ExpectGivenUp(const CommandOutcome& save, int exit_code, const std::string& reason,
                     WorkloadProcess& workload) {
    EXPECT_EQ(save.exit_code, exit_code) << save.err << save.out;
    EXPECT_EQ(WrongInError(save.json), "") << save.out;
    EXPECT_NE(save.err.find(reason), std::string::npos) << save.err;
    EXPECT_FALSE(Exists(image()));
    EXPECT_EQ(TempDirEntries(spill()), std::vector<std::string>());
    EXPECT_EQ(workload.WhatIsWrong(), "");
    EXPECT_EQ(workload.Finish(), 0);
  }
  // All that is in a directory.
  static std::vector<std::string> TempDirEntries(const std::string& path) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
};

TEST_F(SpillTest, PagesAreSpilledWhileTheOutputStalls) {
  WorkloadProcess workload(kEverything);
  const CommandOutcome save = Save(workload.pid(), Small("spill"), OutputKind::kFifo);
  ExpectRightImage(save);
  EXPECT_GT(Spilled(save), 0);
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(SpillTest, PagesAreSpilledWhileTheBandwidthIsUsedUp) {
  WorkloadProcess workload(kEverything);
  const CommandOutcome save = Save(workload.pid(), Small("spill", {"--max-bandwidth", "20M"}));
  ExpectRightImage(save);
  // Nearly all that is written, since it is written much sooner than it can go out.
  EXPECT_GT(Spilled(save), 16 << 20);
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(SpillTest, SpillingIsTheDefault) {
  WorkloadProcess workload(kWriters);
  const CommandOutcome save = Save(workload.pid(), {"--stage", "1M", "--max-bandwidth", "20M"});
  ExpectRightImage(save);
  EXPECT_GT(Spilled(save), 0);
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(SpillTest, WritesThatWaitWaitUntilTheOutputGoesOn) {
  WorkloadProcess workload(kEverything);
  const CommandOutcome save = Save(workload.pid(), Small("wait"), OutputKind::kFifo);
  ExpectRightImage(save);
  EXPECT_EQ(Spilled(save), 0);
  ASSERT_FALSE(HasFailure());
  EXPECT_GT(save.json["stage"]["full"], 0);
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(SpillTest, AbortGivesTheImageUpAtTheFirstWriteThatFindsNoRoom) {
  WorkloadProcess workload(kWriters);
  const CommandOutcome save =
      RunSave(workload.pid(), image(), Small("abort", {"--max-bandwidth", "64K"}));
  ExpectGivenUp(save, kExitLimit, "found no room in the stage", workload);
}

TEST_F(SpillTest, AbortDoesNothingWhileThereIsRoom) {
  ScriptedTarget target;
  const CommandOutcome save = Save(target.pid(), Small("abort"));
  ExpectRightImage(save);
}

TEST_F(SpillTest, AtTheLimitOfTheFileTheImageIsGivenUp) {
  WorkloadProcess workload(kWriters);
  const CommandOutcome save = RunSave(
      workload.pid(), image(), Small("spill", {"--max-bandwidth", "64K", "--spill-limit", "2M"}));
  ExpectGivenUp(save, kExitLimit, "the spill file is at its limit of 2 MiB", workload);
}

TEST_F(SpillTest, ADirectoryWithoutSpaceEndsTheSave) {
  const SmallDisk disk(spill());
  ASSERT_TRUE(disk.mounted());
  WorkloadProcess workload(kWriters);
  const CommandOutcome save = RunSave(
      workload.pid(), image(), Small("spill", {"--max-bandwidth", "64K", "--spill-limit", "64M"}));
  ExpectGivenUp(save, kExitOutput, "No space left on device", workload);
  EXPECT_NE(save.err.find(spill()), std::string::npos) << save.err;
}

TEST_F(SpillTest, NoMoreThanHalfOfTheSpaceIsTakenUnlessToldTo) {
  const SmallDisk disk(spill());
  ASSERT_TRUE(disk.mounted());
  WorkloadProcess workload(kWriters);
  const CommandOutcome save =
      RunSave(workload.pid(), image(), Small("spill", {"--max-bandwidth", "64K"}));
  ExpectGivenUp(save, kExitLimit, "the spill file is at its limit of 0 MiB", workload);
}

TEST_F(SpillTest, ADirectoryInMemoryIsRefusedUnlessItWasNamed) {
  ScriptedTarget target(2);
  const std::string before = directory_ / "before";
  std::string command = "mount -t tmpfs none /var/tmp && exec";
  for (const std::string& word : SaveArgv(target.pid(), image())) command += " " + word;
  const Finished refused = RunToEnd(
      {"unshare", "--mount", "sh", "-c", command + " --exec-paused 'touch " + before + "'"});
  EXPECT_EQ(refused.exit_code, kExitUsage) << refused.err;
  EXPECT_NE(refused.err.find("/var/tmp is in memory itself"), std::string::npos) << refused.err;
  EXPECT_FALSE(Exists(before)) << "the target was stopped";
  EXPECT_FALSE(Exists(image()));
  const Finished named =
      RunToEnd({"unshare", "--mount", "sh", "-c", command + " --spill-dir /var/tmp"});
  EXPECT_EQ(named.exit_code, kExitDone) << named.err;
  EXPECT_EQ(target.WhatIsWrong(), "");
}

TEST_F(SpillTest, ADirectoryThatIsNotThereIsRefusedBeforeTheTargetIsTouched) {
  ScriptedTarget target(2);
  const CommandOutcome save =
      RunSave(target.pid(), image(),
              {"--spill-dir", directory_ / "none", "--exec-paused", "touch " + image()});
  EXPECT_EQ(save.exit_code, kExitOutput) << save.err;
  EXPECT_EQ(WrongInError(save.json), "") << save.out;
  EXPECT_FALSE(Exists(image()));
}

// The device under the file.

TEST_F(SpillTest, ADeviceThatStallsForAWhileOnlyDelaysTheSave) {
  WorkloadProcess workload(kWriters);
  std::vector<std::string> more = Small("spill", {"--max-bandwidth", "30M"});
  const std::vector<std::string> oracle = WithOracle(copy());
  more.insert(more.end(), oracle.begin(), oracle.end());
  const CommandOutcome save = RunSave(workload.pid(), image(), more, Device("stall:2:400"));
  ExpectRightImage(save);
  EXPECT_GT(Spilled(save), 0);
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(SpillTest, ADeviceThatStallsTooLongEndsTheSave) {
  WorkloadProcess workload(kWriters);
  const CommandOutcome save = RunSave(
      workload.pid(), image(), Small("spill", {"--max-bandwidth", "64K", "--max-stall", "200ms"}),
      Device("stall:2:3000"));
  ExpectGivenUp(save, kExitLimit, "waited longer than", workload);
}

TEST_F(SpillTest, ADeviceThatFailsEndsTheSaveWhenAWriteFindsNoRoom) {
  WorkloadProcess workload(kWriters);
  const CommandOutcome save =
      RunSave(workload.pid(), image(), Small("spill", {"--max-bandwidth", "64K"}),
              Device("fail:4:" + std::to_string(EIO)));
  ExpectGivenUp(save, kExitOutput, "spilling failed", workload);
}

// All of the target's memory is written while the output stands still. That is more than half of
// what is kept for faults, even without what the scan was first at, and less than all of it.
class CrowdedStageTest : public SpillTest {
 protected:
  CommandOutcome SaveDuringABurst(const SubprocessOptions& options = {}) {
    std::vector<std::string> more = WithOracle(copy());
    more.back() += " && echo write > " + target_.fifo();
    more.insert(more.end(), {"--stage", "32M", "--max-stall", "3600s", "--spill-dir", spill()});
    const std::string fifo = directory_ / "fifo";
    EXPECT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    UniqueFd reader(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    Subprocess process(SaveArgv(target_.pid(), fifo, more), options);
    UniqueFd keep_open(open(fifo.c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_TRUE(target_.process().WaitForOut("done write\n"));
    fcntl(reader.get(), F_SETFL, 0);
    StallingReader reading(std::move(reader), image(), std::chrono::milliseconds(0));
    const CommandOutcome save = OutcomeOf(process);
    keep_open.reset();
    reading.Join();
    ExpectRightImage(save);
    return save;
  }

  ScriptedTarget target_{24};
};

TEST_F(CrowdedStageTest, IsRelievedBeforeItIsFull) {
  const CommandOutcome save = SaveDuringABurst();
  ASSERT_FALSE(HasFailure());
  EXPECT_GT(Spilled(save), 0);
  EXPECT_EQ(save.json["stage"]["full"], 0);
}

TEST_F(CrowdedStageTest, ADeviceThatFailsHarmsNothingWhileThereIsRoom) {
  const CommandOutcome save = SaveDuringABurst(Device("fail:2:" + std::to_string(EIO)));
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(Spilled(save), 256 << 10) << "what the first write took";
  EXPECT_EQ(save.json["stage"]["full"], 0);
}

TEST_F(SpillTest, BytesThatTheDeviceChangedGetIntoNoImage) {
  WorkloadProcess workload(kWriters);
  const CommandOutcome save =
      RunSave(workload.pid(), image(), Small("spill", {"--max-bandwidth", "20M"}), Device("lie:3"));
  ExpectGivenUp(save, kExitOutput, "gave back other bytes than were written", workload);
}

TEST_F(SpillTest, AKillAtAnyStepLeavesNoFileAndTheTargetWell) {
  WorkloadProcess workload(kWriters);
  const std::vector<std::string> slow = Small("spill", {"--max-bandwidth", "24M"});
  TempDir traces;
  SubprocessOptions tracing;
  tracing.environment["STILLFRAME_FAIL_TRACE"] = traces / "trace";
  ASSERT_EQ(RunSave(workload.pid(), image(), slow, tracing).exit_code, kExitDone);
  std::map<std::string, long> steps;
  for (const std::string& step : Lines(ReadFile(traces / "trace"))) {
    if (step.starts_with("spill.")) ++steps[step];
  }
  if (steps.empty()) GTEST_SKIP() << "*** SKIPPED *** built without fail points";
  EXPECT_EQ(steps.size(), 3u) << "spill.open, spill.written, spill.read-back";
  for (const auto& [step, count] : steps) {
    for (const long at : std::set<long>{1, count / 2 + 1}) {
      SCOPED_TRACE(step + ":" + std::to_string(at));
      unlink(image().c_str());
      SubprocessOptions killing;
      killing.environment["STILLFRAME_FAIL_POINT"] = step + ":" + std::to_string(at);
      const CommandOutcome killed = RunSave(workload.pid(), image(), slow, killing);
      // A step that is done less often this time ends in a save.
      if (at == 1 || killed.exit_code != kExitDone) {
        EXPECT_EQ(killed.exit_code, kExitSigkill) << killed.err;
        EXPECT_FALSE(Exists(image()));
      }
      EXPECT_EQ(TempDirEntries(spill()), std::vector<std::string>());
      EXPECT_EQ(workload.WhatIsWrong(), "");
    }
  }
  EXPECT_EQ(workload.Finish(), 0);
}

}  // namespace
}  // namespace stillframe::test
