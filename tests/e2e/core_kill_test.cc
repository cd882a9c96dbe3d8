// `core` is killed after each step that it does with its file, and at random moments: no core that
// is not whole appears, and the target is none the worse for it.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "core_check.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

int RandomRounds() {
  const char* rounds = std::getenv("STILLFRAME_KILL_ROUNDS");
  return rounds != nullptr ? std::atoi(rounds) : 20;
}

class CoreKillTest : public CoreTest {
 protected:
  // Nothing is left but a core whose headers are whole; the workload is well.
  void ExpectNothingLeft() {
    for (const std::string& name : directory_.List()) {
      EXPECT_EQ(name, "core") << "left behind";
      if (name == "core") OpenCore(core());
      unlink((directory_ / name).c_str());
    }
    EXPECT_EQ(workload_.WhatIsWrong(), "");
  }

  static bool IsDone(int exit_code) { return exit_code == kExitDone || exit_code == kExitLost; }

  WorkloadProcess workload_{{"--memory", "16M", "--threads", "2", "--rate", "20000"}};
};

// Steps with the target are those of a save, and are killed there (kill_test).
TEST_F(CoreKillTest, AfterEachStepWithTheFile) {
  TempDir traces;
  SubprocessOptions options;
  options.environment["STILLFRAME_FAIL_TRACE"] = traces / "trace";
  const CommandOutcome whole = RunCore(workload_.pid(), core(), {}, options);
  ASSERT_TRUE(IsDone(whole.exit_code)) << whole.err;
  ExpectNothingLeft();
  std::map<std::string, long> steps;
  for (const std::string& step : Lines(ReadFile(traces / "trace"))) {
    if (step.starts_with("store.") || step.starts_with("core.")) ++steps[step];
  }
  if (!Exists(traces / "trace")) GTEST_SKIP() << "*** SKIPPED *** built without fail points";
  EXPECT_GE(steps.size(), 3u);
  int killed = 0;
  for (const auto& [name, count] : steps) {
    for (const long at : std::set<long>{1, (count + 1) / 2, count}) {
      const std::string when = name + ":" + std::to_string(at);
      SCOPED_TRACE(when);
      SubprocessOptions kill;
      kill.environment["STILLFRAME_FAIL_POINT"] = when;
      const CommandOutcome outcome = RunCore(workload_.pid(), core(), {}, kill);
      // A step that is done less often this time ends in a core.
      EXPECT_TRUE(outcome.exit_code == kExitSigkill || IsDone(outcome.exit_code)) << outcome.err;
      killed += outcome.exit_code == kExitSigkill ? 1 : 0;
      ExpectNothingLeft();
    }
  }
  EXPECT_GE(killed, static_cast<int>(steps.size()));
  EXPECT_EQ(workload_.Finish(), 0);
}

TEST_F(CoreKillTest, AtRandomMoments) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const CommandOutcome whole = RunCore(workload_.pid(), core());
  ASSERT_TRUE(IsDone(whole.exit_code)) << whole.err;
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  ExpectNothingLeft();
  std::mt19937 random(static_cast<unsigned>(getpid()));
  for (int round = 0; round < RandomRounds(); ++round) {
    const auto after =
        std::chrono::microseconds(random() % (static_cast<unsigned long>(duration.count()) + 1));
    SCOPED_TRACE("after " + std::to_string(after.count()) + " us");
    {
      Subprocess process(CoreArgv(workload_.pid(), core()));
      std::this_thread::sleep_for(after);
      process.Signal(SIGKILL);
      ASSERT_TRUE(process.Wait());
    }
    ExpectNothingLeft();
  }
  EXPECT_EQ(workload_.Finish(), 0);
}

}  // namespace
}  // namespace stillframe::test
