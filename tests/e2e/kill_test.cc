// The command is killed after each single step, and at random moments: the target is none the worse
// for it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "image_check.h"
#include "support/files.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

int RandomRounds() {
  const char* rounds = std::getenv("STILLFRAME_KILL_ROUNDS");
  return rounds != nullptr ? std::atoi(rounds) : 100;
}

class KillTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
    // Helpers of a dead command become our children, so that we see them all.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    StartWorkload();
  }

  void StartWorkload() {
    std::vector<std::string> arguments = {"--memory", "16M", "--threads", "2", "--rate", "20000"};
    // A target with an io_uring is not saved that way.
    if (GetParam() == "stop") arguments.insert(arguments.end(), {"--without", "uring,uring-fixed"});
    workload_.emplace(arguments);
  }

  // After a kill. A new one takes the place of a workload that did not survive, so that the other
  // steps are seen too.
  void ExpectWorkloadIsWell() {
    const std::string wrong = workload_->WhatIsWrong();
    EXPECT_EQ(wrong, "");
    if (!wrong.empty()) StartWorkload();
  }

  std::string image() const { return directory_ / "image"; }
  // "late" is a way of its own here.
  static std::vector<std::string> Via() {
    if (GetParam() == "late") return {"--instant", "late"};
    return {"--via", GetParam()};
  }
  // Whether no other way shows what a kill after the step does.
  static bool IsOwnStep(const std::string& step) {
    return GetParam() != "late" || step.starts_with("late.") || step.starts_with("prearm.");
  }

  // Nothing of the dead command is left: no process, no file but one that is complete.
  void ExpectNothingLeft(const std::string& when) {
    EXPECT_TRUE(Eventually([&] { return Orphans().empty(); }, 10))
        << when << ": a helper lives on: " << Orphans();
    for (const std::string& name : directory_.List()) {
      if (name != "image") {
        ADD_FAILURE() << when << ": left behind: " << name;
      } else {
        const auto whole = OpenImage(image());
        EXPECT_TRUE(whole != nullptr && whole->Verify()) << when << ": a file that is not whole";
      }
      unlink((directory_ / name).c_str());
    }
  }

  // Names of our children other than the workload.
  std::string Orphans() {
    std::string names;
    for (const pid_t child : ChildrenOf(getpid())) {
      if (child == workload_->pid() || waitpid(child, nullptr, WNOHANG) == child) continue;
      names += StatusField(child, "Name") + "(" + std::to_string(child) + ") ";
    }
    return names;
  }

  // Saves with a kill at the `count`th time that step `name` was done.
  void KillAt(const std::string& name, long count) {
    const std::string when = name + ":" + std::to_string(count);
    SCOPED_TRACE(when);
    SubprocessOptions options;
    options.environment["STILLFRAME_FAIL_POINT"] = when;
    const CommandOutcome save = RunSave(workload_->pid(), image(), Via(), options);
    const bool helper_died =
        save.exit_code == kExitOther && save.err.find("helper was killed") != std::string::npos;
    // A step that is done less often this time ends in a save; one of the helper's ends in an
    // error.
    if (save.exit_code != kExitSigkill && !helper_died) {
      EXPECT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
          << save.exit_code << save.err;
    } else {
      ++killed_;
    }
    ExpectNothingLeft(when);
    ExpectWorkloadIsWell();
  }

  TempDir directory_;
  std::optional<WorkloadProcess> workload_;
  int killed_ = 0;
};

TEST_P(KillTest, AfterEachStep) {
  TempDir traces;
  SubprocessOptions options;
  options.environment["STILLFRAME_FAIL_TRACE"] = traces / "trace";
  const CommandOutcome save = RunSave(workload_->pid(), image(), Via(), options);
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost) << save.err;
  ExpectNothingLeft("no kill");
  std::map<std::string, long> steps;
  for (const std::string& step : Lines(ReadFile(traces / "trace"))) {
    if (IsOwnStep(step)) ++steps[step];
  }
  if (steps.empty()) GTEST_SKIP() << "*** SKIPPED *** built without fail points";
  for (const auto& [name, count] : steps) {
    for (const long at : std::set<long>{1, (count + 1) / 2, count}) {
      KillAt(name, at);
    }
  }
  EXPECT_GE(killed_, static_cast<int>(steps.size()));
  EXPECT_EQ(workload_->Finish(), 0);
}

TEST_P(KillTest, AtRandomMoments) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const CommandOutcome whole = RunSave(workload_->pid(), image(), Via());
  ASSERT_TRUE(whole.exit_code == kExitDone || whole.exit_code == kExitLost) << whole.err;
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  ExpectNothingLeft("no kill");
  std::mt19937 random(static_cast<unsigned>(getpid()));
  // Of a late instant only what comes before it is its own.
  const int rounds = GetParam() == "late" ? RandomRounds() / 2 : RandomRounds();
  for (int round = 0; round < rounds; ++round) {
    const auto after =
        std::chrono::microseconds(random() % (static_cast<unsigned long>(duration.count()) + 1));
    const std::string when = "after " + std::to_string(after.count()) + " us";
    SCOPED_TRACE(when);
    {
      Subprocess save(SaveArgv(workload_->pid(), image(), Via()));
      std::this_thread::sleep_for(after);
      save.Signal(SIGKILL);
      ASSERT_TRUE(save.Wait());
    }
    ExpectNothingLeft(when);
    ExpectWorkloadIsWell();
  }
  EXPECT_EQ(workload_->Finish(), 0);
}

INSTANTIATE_TEST_SUITE_P(Ways, KillTest, testing::Values("wp", "stop", "fork", "precopy", "late"),
                         [](const auto& info) { return info.param; });

class ReplacingKillTest : public KillTest {};

// After each step with files the name leads to the old file or to the new one, and to no third
// thing.
TEST_P(ReplacingKillTest, TheOldFileStaysWholeUntilTheNewOneIsInItsPlace) {
  const std::string old_file = "what was there before";
  TempDir traces;
  SubprocessOptions options;
  options.environment["STILLFRAME_FAIL_TRACE"] = traces / "trace";
  WriteFile(image(), old_file);
  const CommandOutcome save = RunSave(workload_->pid(), image(), {"--force"}, options);
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost) << save.err;
  std::set<std::string> steps;
  for (const std::string& step : Lines(ReadFile(traces / "trace"))) {
    if (step.starts_with("store.")) steps.insert(step);
  }
  if (steps.empty()) GTEST_SKIP() << "*** SKIPPED *** built without fail points";
  EXPECT_TRUE(steps.contains("store.rename")) << "it was not replaced by renaming";
  for (const std::string& step : steps) {
    SCOPED_TRACE(step);
    WriteFile(image(), old_file);
    SubprocessOptions kill;
    kill.environment["STILLFRAME_FAIL_POINT"] = step + ":1";
    EXPECT_EQ(RunSave(workload_->pid(), image(), {"--force"}, kill).exit_code, kExitSigkill);
    if (ReadFile(image()) != old_file) {
      const auto whole = OpenImage(image());
      EXPECT_TRUE(whole != nullptr && whole->Verify());
    }
    for (const std::string& name : directory_.List()) {
      // Between the link and the rename the new file has a name of its own.
      EXPECT_TRUE(name == "image" || step == "store.link-temporary") << "left behind: " << name;
      unlink((directory_ / name).c_str());
    }
    ExpectWorkloadIsWell();
  }
  EXPECT_EQ(workload_->Finish(), 0);
}

INSTANTIATE_TEST_SUITE_P(Ways, ReplacingKillTest, testing::Values("wp"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace stillframe::test
