// One target is paused again and again, by whichever thread, prepared for or not.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "attach_child.h"
#include "attach_step_killer.h"

namespace stillframe::test {
namespace {

constexpr auto kStopTimeout = std::chrono::seconds(2);

// Counts in each of `threads` threads. When `value[0]` is set there is one more, named "late".
void RunCounters(Board& board, int threads) {
  std::vector<std::thread> counters;
  for (int i = 0; i < threads; ++i) {
    counters.emplace_back([&board, i] {
      while (board.stop == 0) {
        ++board.progress;
        if (i % 2 == 1) usleep(300);
      }
    });
  }
  board.ready = 1;
  while (board.value[0] == 0 && board.stop == 0) usleep(300);
  std::thread late([&board] {
    prctl(PR_SET_NAME, "late");
    board.value[1] = 1;
    while (board.stop == 0) usleep(300);
  });
  late.join();
  for (std::thread& counter : counters) counter.join();
}

class AttachPauses : public testing::Test {
 protected:
  void SetUp() override {
    if (!CanAttach()) GTEST_SKIP();
    child_ = std::make_unique<Child>([](Board& board) { RunCounters(board, kCounters); });
    child_->AwaitReady();
    auto target = AttachProcess(child_->pid());
    ASSERT_TRUE(target.has_value()) << target.error().message;
    target_ = *std::move(target);
  }

  void TearDown() override {
    if (child_ == nullptr) return;
    EXPECT_TRUE(IsLetGo(child_->pid()));
    child_->board().stop = 1;
    EXPECT_EQ(child_->AwaitEnd(), 0);
  }

  void ExpectStandsStill() {
    const uint64_t before = child_->board().progress;
    usleep(2000);
    EXPECT_EQ(child_->board().progress, before);
  }

  static constexpr int kCounters = 12;
  std::unique_ptr<Child> child_;
  std::unique_ptr<Target> target_;
};

TEST_F(AttachPauses, ManyOfOneTargetEachWithItsTimes) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(target_->Pause(kStopTimeout).has_value());
    EXPECT_GT(target_->Times().stop.count(), 0);
    EXPECT_EQ(target_->Times().resume.count(), 0) << "it is not over yet";
    ExpectStandsStill();
    ASSERT_TRUE(target_->Resume().has_value());
    EXPECT_GT(target_->Times().resume.count(), 0);
    EXPECT_GE(target_->PauseDuration(), target_->Times().stop + target_->Times().resume);
    EXPECT_TRUE(IsLetGo(child_->pid()));
    ASSERT_TRUE(child_->Progresses());
  }
}

TEST_F(AttachPauses, TwiceInARowIsOnePause) {
  ASSERT_TRUE(target_->Pause(kStopTimeout).has_value());
  ASSERT_TRUE(target_->Pause(kStopTimeout).has_value());
  ASSERT_TRUE(target_->Resume().has_value());
  ASSERT_TRUE(child_->Progresses());
  EXPECT_TRUE(target_->Resume().has_value()) << "harmless";
}

TEST_F(AttachPauses, EachCallFromAnotherThread) {
  const auto elsewhere = [](const std::function<void()>& call) { std::thread(call).join(); };
  for (int round = 0; round < 5; ++round) {
    elsewhere([&] { EXPECT_TRUE(target_->PrepareState().has_value()); });
    elsewhere([&] { ASSERT_TRUE(target_->Pause(kStopTimeout).has_value()); });
    ExpectStandsStill();
    elsewhere([&] {
      const auto state = target_->CaptureState();
      ASSERT_TRUE(state.has_value()) << state.error().message;
      EXPECT_EQ(state->threads.size(), kCounters + 1u);
    });
    elsewhere([&] { EXPECT_TRUE(target_->Resume().has_value()); });
    ASSERT_TRUE(child_->Progresses());
  }
  elsewhere([&] { target_.reset(); });
}

TEST_F(AttachPauses, PreparedStateIsThatOfThePause) {
  ASSERT_TRUE(target_->PrepareState().has_value());
  // Unknown to the preparation.
  child_->board().value[0] = 1;
  ASSERT_TRUE(Eventually([&] { return child_->board().value[1] == 1; }));
  ASSERT_TRUE(target_->Pause(kStopTimeout).has_value());
  const auto prepared = target_->CaptureState();
  ASSERT_TRUE(target_->PrepareState().has_value()) << "as if there had been none before";
  const auto fresh = target_->CaptureState();
  ASSERT_TRUE(target_->Resume().has_value());
  ASSERT_TRUE(prepared.has_value()) << prepared.error().message;
  ASSERT_TRUE(fresh.has_value()) << fresh.error().message;
  ASSERT_EQ(prepared->threads.size(), kCounters + 2u);
  EXPECT_EQ(WithoutTimes(prepared->threads), WithoutTimes(fresh->threads));
  EXPECT_EQ(prepared->threads.front().tid, child_->pid()) << "the leader comes first";
  EXPECT_EQ(prepared->threads.back().name, "late");
  EXPECT_EQ(prepared->executable, fresh->executable);
  EXPECT_EQ(prepared->auxv, fresh->auxv);
  EXPECT_EQ(prepared->start_time, fresh->start_time);
}

TEST_F(AttachPauses, PreparationHoldsForOnePause) {
  ASSERT_TRUE(target_->PrepareState().has_value());
  ASSERT_TRUE(target_->Pause(kStopTimeout).has_value());
  ASSERT_TRUE(target_->Resume().has_value()) << "never captured";
  child_->board().value[0] = 1;
  ASSERT_TRUE(Eventually([&] { return child_->board().value[1] == 1; }));
  ASSERT_TRUE(target_->Pause(kStopTimeout).has_value());
  const auto state = target_->CaptureState();
  ASSERT_TRUE(target_->Resume().has_value());
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->threads.size(), kCounters + 2u);
  const std::string threads = "\nThreads:\t" + std::to_string(kCounters + 2) + "\n";
  EXPECT_NE(state->status.find(threads), std::string::npos) << state->status;
}

TEST_F(AttachPauses, DroppedWhilePaused) {
  ASSERT_TRUE(target_->PrepareState().has_value());
  ASSERT_TRUE(target_->Pause(kStopTimeout).has_value());
  target_.reset();
  EXPECT_TRUE(child_->Progresses());
}

}  // namespace
}  // namespace stillframe::test
