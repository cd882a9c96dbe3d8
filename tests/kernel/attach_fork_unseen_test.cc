// Targets that wait for children, or inherit them, see nothing of the one they were made to fork.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "attach_fork_child.h"

namespace stillframe::test {
namespace {

Board* handler_board = nullptr;

void CountChildSignals(Board& board) {
  handler_board = &board;
  struct sigaction action {};
  action.sa_handler = [](int) { ++handler_board->value[0]; };
  action.sa_flags = SA_RESTART;
  sigaction(SIGCHLD, &action, nullptr);
}

// Has children of its own all the time, one by one, each of which leaves it a grandchild when it is
// to inherit those; value[1] counts them. Whatever else it gets from a wait or a signal is a
// failure.
void HaveChildren(Board& board, bool inherits) {
  CountChildSignals(board);
  board.ready = 1;
  const int each = inherits ? 2 : 1;
  while (board.stop == 0) {
    const pid_t child = fork();
    if (child == 0) {
      if (inherits && fork() == 0) _exit(9);
      _exit(7);
    }
    for (int i = 0; i < each; ++i) {
      int status = 0;
      const pid_t ended = waitpid(-1, &status, 0);
      const bool own = ended == child && WEXITSTATUS(status) == 7;
      const bool inherited = inherits && ended > 0 && WEXITSTATUS(status) == 9;
      board.failures += own || inherited ? 0 : 1;
    }
    board.value[1] += each;
    if (waitpid(-1, nullptr, 0) != -1 || errno != ECHILD) ++board.failures;
    ++board.progress;
  }
}

// Signals of children that end at the same time are one.
void ExpectNothingSeen(Child& child, pid_t target) {
  EXPECT_EQ(ForkAndDrop(target, 20), "");
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
  EXPECT_LE(child.board().value[0], child.board().value[1]);
}

TEST(AttachForkUnseen, ByATargetThatWaitsForAnyChildAllTheTime) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) { HaveChildren(board, false); });
  child.AwaitReady();
  ExpectNothingSeen(child, child.pid());
  EXPECT_EQ(child.board().value[0], child.board().value[1]) << "a signal for each of its own";
}

TEST(AttachForkUnseen, ByASubreaper) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    HaveChildren(board, true);
  });
  child.AwaitReady();
  ExpectNothingSeen(child, child.pid());
}

TEST(AttachForkUnseen, ByTheFirstProcessOfAPidNamespace) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  Child child([](Board& board) {
    if (unshare(CLONE_NEWPID) != 0) _exit(3);
    const pid_t inner = fork();
    if (inner == 0) {
      HaveChildren(board, true);
      _exit(0);
    }
    board.value[7] = inner;
    int status = 0;
    waitpid(inner, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  });
  ASSERT_TRUE(Eventually([&] { return child.board().value[7] != 0 && child.board().ready != 0; }));
  ExpectNothingSeen(child, static_cast<pid_t>(child.board().value[7]));
}

TEST(AttachForkUnseen, ByAThreadThatSitsInAWait) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    CountChildSignals(board);
    const pid_t own = fork();
    if (own == 0) {
      while (board.stop == 0) usleep(1000);
      _exit(7);
    }
    board.ready = 1;
    int status = 0;
    // Once, with no restart by hand.
    if (waitpid(-1, &status, 0) != own || WEXITSTATUS(status) != 7) ++board.failures;
  });
  child.AwaitReady();
  EXPECT_EQ(ForkAndDrop(child.pid(), 20), "");
  EXPECT_EQ(child.board().value[0], 0) << "a signal";
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachForkUnseen, EndOfThePidNamespaceHangsNowhere) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  Child child([](Board& board) {
    if (unshare(CLONE_NEWPID) != 0) _exit(3);
    const pid_t inner = fork();
    if (inner == 0) {
      board.ready = 1;
      while (board.stop == 0) usleep(500);
      _exit(5);
    }
    board.value[7] = inner;
    int status = 0;
    waitpid(inner, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  });
  ASSERT_TRUE(Eventually([&] { return child.board().value[7] != 0 && child.board().ready != 0; }));
  const Forked forked = ForkTarget(static_cast<pid_t>(child.board().value[7]));
  ASSERT_EQ(forked.error, "");
  // The kernel kills all of a namespace with its first process, and that one waits for all.
  child.board().stop = 1;
  EXPECT_EQ(WEXITSTATUS(child.AwaitEnd()), 5);
  EXPECT_TRUE(Eventually([&] { return !forked.frozen->CheckAlive().has_value(); }));
}

}  // namespace
}  // namespace stillframe::test
