// What a target may do to its own memory and threads during a save, right after the instant: a
// defined result for each.
#include <gtest/gtest.h>
#include <signal.h>

#include <set>

#include "image_check.h"
#include "scripted.h"
#include "support/files.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"

namespace stillframe::test {
namespace {

class ChangingTargetTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  // A save in whose pause the target is told to do `action`: it does so as soon as it runs again,
  // when hardly a page is saved.
  CommandOutcome SaveWhile(const std::string& action, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--max-bandwidth", "24M", "--stage", "1M", "--max-stall", "60s"});
    std::vector<std::string> oracle = WithOracle(copy());
    oracle.back() += " && echo " + action + " > " + target_.fifo();
    more.insert(more.end(), oracle.begin(), oracle.end());
    return RunSave(target_.pid(), image(), more);
  }

  // The action has no influence: nothing lost, the image equal, the target well.
  void ExpectNoInfluence(const std::string& action) {
    const CommandOutcome save = SaveWhile(action);
    ASSERT_EQ(save.exit_code, kExitDone) << save.err << save.out;
    EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
    ExpectImageEqualsOracle(image(), copy(), save.json);
    ExpectTargetIsWell(action);
  }

  // Pages that went away before they were saved are listed, all within `where`, and all others are
  // as they were.
  void ExpectListedAsLost(const std::string& action, AddressRange where,
                          const std::set<std::string>& reasons) {
    const CommandOutcome save = SaveWhile(action);
    ASSERT_EQ(save.exit_code, kExitLost) << save.err << save.out;
    EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
    EXPECT_GT(save.json["pages"]["lost"], 0);
    ExpectLostOnlyIn(save.json, where);
    for (const auto& lost : save.json["lost"]) {
      EXPECT_TRUE(reasons.contains(lost["reason"])) << lost.dump();
    }
    ExpectImageEqualsOracle(image(), copy(), save.json);
    ExpectTargetIsWell(action);
  }

  void ExpectTargetIsWell(const std::string& action) {
    EXPECT_TRUE(target_.process().WaitForOut("done " + action + "\n")) << target_.process().Out();
    EXPECT_EQ(target_.WhatIsWrong(), "");
  }

  void ExpectGone(const std::string& action) {
    const CommandOutcome save = SaveWhile(action);
    EXPECT_EQ(save.exit_code, kExitTargetGone) << save.err << save.out;
    EXPECT_EQ(WrongInError(save.json), "") << save.out;
    EXPECT_EQ(save.json["error"]["code"], "target-gone");
    EXPECT_NE(save.err, "");
    EXPECT_EQ(directory_.List(), std::vector<std::string>{"copy"});
  }

  static AddressRange HeapOf(pid_t pid) {
    AddressRange heap;
    for (const std::string& line : Lines(ReadFile("/proc/" + std::to_string(pid) + "/maps"))) {
      if (!line.ends_with("[heap]")) continue;
      heap = {{std::stoull(line, nullptr, 16)},
              {std::stoull(line.substr(line.find('-') + 1), nullptr, 16)}};
    }
    return heap;
  }
  AddressRange SecondHalf(AddressRange range) const {
    return {range.begin + range.size() / 2, range.end};
  }

  std::string image() const { return directory_ / "image"; }
  std::string copy() const { return directory_ / "copy"; }

  TempDir directory_;
  ScriptedTarget target_;
};

TEST_F(ChangingTargetTest, WritesEveryPage) { ExpectNoInfluence("write"); }

TEST_F(ChangingTargetTest, RemapsAndWrites) { ExpectNoInfluence("remap"); }

TEST_F(ChangingTargetTest, Grows) { ExpectNoInfluence("grow"); }

TEST_F(ChangingTargetTest, MakesMemoryReadOnly) { ExpectNoInfluence("readonly"); }

TEST_F(ChangingTargetTest, MakesMemoryInaccessible) { ExpectNoInfluence("noaccess"); }

TEST_F(ChangingTargetTest, StartsAndEndsThreads) { ExpectNoInfluence("threads"); }

TEST_F(ChangingTargetTest, Forks) { ExpectNoInfluence("fork"); }

TEST_F(ChangingTargetTest, SpawnsChildren) { ExpectNoInfluence("spawn"); }

TEST_F(ChangingTargetTest, Vforks) { ExpectNoInfluence("vfork"); }

TEST_F(ChangingTargetTest, MovesItsBreakDown) {
  ASSERT_TRUE(target_.Do("grow-heap"));
  ExpectListedAsLost("shrink-heap", HeapOf(target_.pid()), {"unmapped"});
}

TEST_F(ChangingTargetTest, Unmaps) {
  ExpectListedAsLost("unmap", SecondHalf(target_.anonymous()), {"unmapped"});
}

TEST_F(ChangingTargetTest, MapsSomethingElseInPlace) {
  ExpectListedAsLost("replace", SecondHalf(target_.anonymous()), {"unmapped"});
}

// Shared memory is copied inside the pause: what happens to its file afterwards is nothing to the
// image.
TEST_F(ChangingTargetTest, PunchesAHoleIntoSharedMemory) { ExpectNoInfluence("punch"); }

TEST_F(ChangingTargetTest, RemovesSharedMemory) { ExpectNoInfluence("remove"); }

TEST_F(ChangingTargetTest, CutsOffTheFileOfSharedMemory) { ExpectNoInfluence("truncate"); }

// A discard tells beforehand: as much as fits the fault limit is saved, the rest is listed.
class DiscardTest : public ChangingTargetTest, public testing::WithParamInterface<std::string> {};

TEST_P(DiscardTest, WhatIsNotSavedInTimeIsListed) {
  const CommandOutcome save = SaveWhile(GetParam());
  ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost) << save.err << save.out;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
  ExpectLostOnlyIn(save.json, SecondHalf(target_.anonymous()));
  for (const auto& lost : save.json["lost"]) EXPECT_EQ(lost["reason"], "discarded");
  ExpectImageEqualsOracle(image(), copy(), save.json);
  ExpectTargetIsWell(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Ways, DiscardTest, testing::Values("dontneed", "free"),
                         [](const auto& info) { return info.param; });

TEST_F(ChangingTargetTest, Exits) {
  ExpectGone("exit");
  EXPECT_EQ(target_.process().Wait(), 0);
}

TEST_F(ChangingTargetTest, Execs) {
  ExpectGone("exec");
  EXPECT_TRUE(target_.process().IsRunning());
  EXPECT_EQ(StatusField(target_.pid(), "Name"), "sleep");
}

TEST_F(ChangingTargetTest, UnmapsAndLossMeansToGiveUp) {
  const CommandOutcome save = SaveWhile("unmap", {"--on-lost", "abort"});
  EXPECT_EQ(save.exit_code, kExitLimit) << save.err << save.out;
  EXPECT_EQ(WrongInError(save.json), "") << save.out;
  EXPECT_EQ(save.json["error"]["code"], "limit");
  EXPECT_EQ(directory_.List(), std::vector<std::string>{"copy"});
  ExpectTargetIsWell("unmap");
}

TEST_F(ChangingTargetTest, IsKilled) {
  // Not by its own doing: while it stands still.
  const CommandOutcome save =
      RunSave(target_.pid(), image(), {"--exec-paused", "kill -9 $STILLFRAME_PID"});
  EXPECT_EQ(save.exit_code, kExitTargetGone) << save.err << save.out;
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
  EXPECT_EQ(target_.process().Wait(), kExitSigkill);
}

TEST_F(ChangingTargetTest, IsAStoppedJobAndStaysOne) {
  target_.process().Signal(SIGSTOP);
  ASSERT_TRUE(Eventually([&] { return StateOf(target_.pid()) == 'T'; }));
  const CommandOutcome save = RunSave(target_.pid(), image());
  EXPECT_EQ(save.exit_code, kExitDone) << save.err << save.out;
  EXPECT_EQ(StateOf(target_.pid()), 'T');
  EXPECT_EQ(StatusField(target_.pid(), "TracerPid"), "0");
  target_.process().Signal(SIGCONT);
  EXPECT_TRUE(target_.Do("write"));
}

}  // namespace
}  // namespace stillframe::test
