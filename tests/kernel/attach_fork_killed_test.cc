// We are killed right after each single step of a save through a fork. No child and no zombie
// stays, and the target notices nothing.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "attach_fork_child.h"
#include "attach_step_killer.h"

namespace stillframe::test {
namespace {

std::string ForkOnce(pid_t pid) {
  Forked forked = ForkTarget(pid, true);
  if (!forked.error.empty()) return forked.error;
  if (auto state = forked.target->CaptureState(); !state) return state.error().message;
  if (auto resumed = forked.target->Resume(); !resumed) return resumed.error().message;
  return {};
}

// Whatever it waits for, there is nothing: it has no child.
void WaitAllTheTime(Board& board) {
  struct sigaction action {};
  static Board* handler_board = nullptr;
  handler_board = &board;
  action.sa_handler = [](int) { ++handler_board->failures; };
  sigaction(SIGCHLD, &action, nullptr);
  std::thread([&board] {
    while (board.stop == 0) {
      if (waitpid(-1, nullptr, 0) != -1 || errno != ECHILD) ++board.failures;
      usleep(50);
    }
  }).detach();
}

TEST(AttachForkKilled, AtEachStep) {
  KillAtEachStep([](Board&) {}, ForkOnce, 30);
}

TEST(AttachForkKilled, AtEachStepAndTheTargetWaitsForAnyChildAllTheTime) {
  KillAtEachStep(WaitAllTheTime, ForkOnce, 30);
}

TEST(AttachForkKilled, AtEachStepAndTheTargetIsASubreaper) {
  const auto confine = [](Board& board) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    WaitAllTheTime(board);
  };
  KillAtEachStep(confine, ForkOnce, 30);
}

TEST(AttachForkKilled, AtEachStepAndTheTargetIsTheFirstOfItsPidNamespace) {
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  const auto confine = [](Board& board) {
    if (unshare(CLONE_NEWPID) != 0) _exit(3);
    const pid_t inner = fork();
    if (inner != 0) {
      board.value[7] = inner;
      int status = 0;
      waitpid(inner, &status, 0);
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    WaitAllTheTime(board);
  };
  KillAtEachStep(confine, ForkOnce, 30);
}

TEST(AttachForkKilled, WhileTheCopyIsHeld) {
  if (!CanAttach()) GTEST_SKIP();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Child target([](Board& board) {
    WaitAllTheTime(board);
    RunCheckingTarget(board);
  });
  ASSERT_TRUE(Eventually([&] { return target.board().ready == 2; }));
  Child attacher([&](Board& board) {
    const Forked forked = ForkTarget(target.pid());
    board.failures = forked.error.empty() ? 0 : 1;
    // A child of the program's own, with a copy of all our descriptors, that outlives us.
    const pid_t other = fork();
    if (other == 0) {
      while (board.stop == 0) usleep(1000);
      _exit(0);
    }
    board.value[0] = other;
    board.ready = 1;
    pause();
  });
  attacher.AwaitReady();
  EXPECT_EQ(attacher.board().failures, 0u);
  EXPECT_NE(ChildrenOf(target.pid()), "");
  kill(attacher.pid(), SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(attacher.AwaitEnd()));
  EXPECT_TRUE(Eventually([&] { return ChildrenOf(target.pid()).empty(); }));
  EXPECT_TRUE(Eventually([&] { return IsLetGo(target.pid()); }));
  EXPECT_TRUE(target.Progresses());
  EXPECT_EQ(target.board().failures, 0u);
  attacher.board().stop = 1;
  waitpid(static_cast<pid_t>(attacher.board().value[0]), nullptr, 0);
}

}  // namespace
}  // namespace stillframe::test
