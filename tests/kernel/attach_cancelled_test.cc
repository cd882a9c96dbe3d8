// A pause that is called off, or given up, lets every thread go again: those that did not stop run
// on by themselves as soon as they can.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "attach_bodies.h"
#include "attach_child.h"
#include "attach_step_killer.h"

namespace stillframe::test {
namespace {

// Nobody does anything about it but the kernel and the child itself.
void ExpectGoesOnByItself(Child& child) {
  EXPECT_TRUE(IsLetGo(child.pid()));
  EXPECT_TRUE(child.Progresses());
  EXPECT_EQ(child.board().value[2], 0) << "the thread still waits";
  child.board().stop = 1;
  EXPECT_TRUE(Eventually([&] { return child.board().value[2] == 1; }));
  EXPECT_TRUE(IsLetGo(child.pid()));
}

class AttachCancelled : public testing::Test {
 protected:
  // Pauses until it was asked `asks` times whether to go on.
  void ExpectCancelled(Duration stop_timeout, int asks) {
    if (!CanAttach()) GTEST_SKIP();
    Child child(WaitForVforkChild);
    child.AwaitReady();
    auto target = AttachProcess(child.pid());
    ASSERT_TRUE(target.has_value()) << target.error().message;
    child.board().value[0] = 1;
    ASSERT_TRUE(Eventually([&] { return child.board().value[1] == 1; }));
    int asked = 0;
    const auto paused = (*target)->Pause(
        {.stop_timeout = stop_timeout, .cancelled = [&] { return ++asked >= asks; }});
    ASSERT_FALSE(paused.has_value());
    EXPECT_EQ(paused.error().code, ErrorCode::kInterrupted) << paused.error().message;
    EXPECT_EQ(asked, asks);
    ExpectGoesOnByItself(child);
    child.board().value[3] = 1;
    EXPECT_EQ(child.AwaitEnd(), 0);
  }
};

TEST_F(AttachCancelled, BeforeAnythingIsDone) { ExpectCancelled(std::chrono::hours(1), 1); }

TEST_F(AttachCancelled, WithinATry) { ExpectCancelled(std::chrono::hours(1), 20); }

// Each try asks once before it begins, and has no time to ask again.
TEST_F(AttachCancelled, BetweenTries) { ExpectCancelled(Duration(0), 3); }

TEST(AttachGivenUp, ThreadInUninterruptibleSleepGoesOnAndCanBePausedLater) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(WaitForVforkChild);
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  child.board().value[0] = 1;
  ASSERT_TRUE(Eventually([&] { return child.board().value[1] == 1; }));
  ASSERT_EQ(child.State(), "D");
  for (int round = 0; round < 2; ++round) {
    const auto paused = (*target)->Pause(std::chrono::milliseconds(2));
    ASSERT_FALSE(paused.has_value());
    EXPECT_EQ(paused.error().code, ErrorCode::kLimit) << paused.error().message;
    EXPECT_NE(paused.error().message.find(std::to_string(child.pid()) + " (attach"),
              std::string::npos)
        << "it names the thread: " << paused.error().message;
    EXPECT_TRUE(IsLetGo(child.pid()));
  }
  ExpectGoesOnByItself(child);
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  EXPECT_EQ((*target)->CaptureState()->threads.size(), 2u);
  EXPECT_FALSE(IsLetGo(child.pid()));
  ASSERT_TRUE((*target)->Resume().has_value());
  EXPECT_TRUE(child.Progresses());
  child.board().value[3] = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachState, NoDescriptorLeftHereFailsTheCapture) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    for (;;) pause();
  });
  child.AwaitReady();
  Child attacher([&](Board& board) {
    auto target = AttachProcess(child.pid());
    if (!target || !(*target)->Pause(std::chrono::seconds(2))) _exit(1);
    const int next = dup(0);
    close(next);
    const rlimit limit{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = 1000};
    setrlimit(RLIMIT_NOFILE, &limit);
    const auto state = (*target)->CaptureState();
    board.value[0] = state ? 0 : state.error().system_errno;
  });
  EXPECT_EQ(attacher.AwaitEnd(), 0);
  EXPECT_EQ(attacher.board().value[0], EMFILE);
}

}  // namespace
}  // namespace stillframe::test
