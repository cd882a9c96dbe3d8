// A pause that is called off lets every thread go again.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "attach_child.h"

namespace stillframe::test {
namespace {

// One thread makes progress. When `value[0]` is set another one waits for a vfork child, and can't
// be stopped before `stop`.
void RunWithVfork(Board& board) {
  std::thread([&board] {
    for (;;) {
      ++board.progress;
      usleep(500);
    }
  }).detach();
  board.ready = 1;
  while (board.value[0] == 0) usleep(500);
  const pid_t other = vfork();
  if (other == 0) {
    board.value[1] = 1;
    while (board.stop == 0) usleep(500);
    _exit(0);
  }
  waitpid(other, nullptr, 0);
}

bool IsUntraced(const Child& child, pid_t tid) {
  const std::string status = child.ProcFile("task/" + std::to_string(tid) + "/status");
  return status.find("TracerPid:\t0\n") != std::string::npos;
}

class AttachCancelled : public testing::Test {
 protected:
  // Pauses until it was asked `asks` times whether to go on.
  void ExpectCancelled(Duration stop_timeout, int asks) {
    if (!CanAttach()) GTEST_SKIP();
    Child child(RunWithVfork);
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
    EXPECT_TRUE(child.Progresses());
    child.board().stop = 1;
    EXPECT_TRUE(Eventually([&] {
      (*target)->Resume();
      return IsUntraced(child, child.pid());
    }));
    EXPECT_EQ(child.AwaitEnd(), 0);
  }
};

TEST_F(AttachCancelled, BeforeAnythingIsDone) { ExpectCancelled(std::chrono::hours(1), 1); }

TEST_F(AttachCancelled, WithinATry) { ExpectCancelled(std::chrono::hours(1), 20); }

// Each try asks once before it begins, and has no time to ask again.
TEST_F(AttachCancelled, BetweenTries) { ExpectCancelled(Duration(0), 3); }

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
