// A copy ends with whoever ends first: it is killed, its helper is, the target is or becomes
// another program. No zombie stays, and no copy ever runs.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach_bodies.h"
#include "attach_fork_child.h"
#include "attach_step_killer.h"

namespace stillframe::test {
namespace {

TEST(AttachForkEnds, CopyOutlivesTheTargetItCameFrom) {
  if (!CanAttach()) GTEST_SKIP();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Child child(CountInAllWords);
  child.AwaitReady();
  ASSERT_TRUE(child.Progresses());
  Forked forked = ForkTarget(child.pid());
  ASSERT_EQ(forked.error, "");
  uint64_t before = 0;
  ASSERT_TRUE(ReadValue(*forked.frozen, reinterpret_cast<uint64_t*>(words.data()), &before));
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  uint64_t after = 0;
  ASSERT_TRUE(ReadValue(*forked.frozen, reinterpret_cast<uint64_t*>(words.data()), &after));
  EXPECT_EQ(before, after);
  EXPECT_TRUE(forked.frozen->CheckAlive().has_value());
  const pid_t pid = forked.frozen->pid();
  forked.frozen.reset();
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid) << "it was inherited like any child, by us";
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(AttachForkEnds, KilledCopyIsToldAndReaped) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(CountInAllWords);
  child.AwaitReady();
  Forked forked = ForkTarget(child.pid());
  ASSERT_EQ(forked.error, "");
  kill(forked.frozen->pid(), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !forked.frozen->CheckAlive().has_value(); }));
  EXPECT_EQ(forked.frozen->CheckAlive().error().code, ErrorCode::kTargetGone);
  uint64_t value = 0;
  EXPECT_FALSE(ReadValue(*forked.frozen, reinterpret_cast<uint64_t*>(words.data()), &value));
  EXPECT_TRUE(Eventually([&] { return ChildrenOf(child.pid()).empty(); }))
      << "before it is dropped";
  EXPECT_TRUE(child.Progresses());
}

TEST(AttachForkEnds, KilledHelperTakesTheCopyAlongAndNoZombieStays) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(CountInAllWords);
  child.AwaitReady();
  Forked forked = ForkTarget(child.pid());
  ASSERT_EQ(forked.error, "");
  const pid_t helper = FindHelper();
  ASSERT_NE(helper, 0);
  kill(helper, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !forked.frozen->CheckAlive().has_value(); }));
  forked.frozen.reset();
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  EXPECT_EQ(FindHelper(), 0);
  EXPECT_TRUE(child.Progresses());
}

TEST(AttachForkEnds, TargetThatIsKilledWhilePaused) {
  if (!CanAttach()) GTEST_SKIP();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Child child(CountInAllWords);
  child.AwaitReady();
  Forked forked = ForkTarget(child.pid(), true);
  ASSERT_EQ(forked.error, "");
  kill(child.pid(), SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(child.AwaitEnd()));
  EXPECT_TRUE(forked.frozen->CheckAlive().has_value());
  EXPECT_TRUE(forked.target->Resume().has_value());
  const pid_t pid = forked.frozen->pid();
  forked.frozen.reset();
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(AttachForkEnds, ExecOfTheTargetLeavesNoChildToTheNewProgram) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) usleep(500);
    execl("/bin/sleep", "sleep", "100", nullptr);
  });
  child.AwaitReady();
  Forked forked = ForkTarget(child.pid());
  ASSERT_EQ(forked.error, "");
  child.board().stop = 1;
  ASSERT_TRUE(Eventually([&] { return child.ProcFile("comm") == "sleep\n"; }));
  EXPECT_TRUE(forked.frozen->CheckAlive().has_value());
  EXPECT_NE(ChildrenOf(child.pid()), "");
  forked.frozen.reset();
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  EXPECT_TRUE(Eventually([&] { return child.State() == "S"; }));
}

TEST(AttachForkEnds, SpinningProgramAfterExecIsMadeToWaitAsWell) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) usleep(500);
    execl("/usr/bin/python3", "python3", "-c", "while True: pass", nullptr);
  });
  child.AwaitReady();
  Forked forked = ForkTarget(child.pid());
  ASSERT_EQ(forked.error, "");
  child.board().stop = 1;
  ASSERT_TRUE(Eventually([&] { return child.ProcFile("comm") == "python3\n"; }));
  usleep(100'000);
  forked.frozen.reset();
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  EXPECT_TRUE(Eventually([&] { return child.State() == "R"; }));
}

// Waits in a system call, and behind it there is no use of the stack: a copy of this that is let go
// does not die of its bad one, but counts, and goes on for ever.
void WaitWithoutAStack(Board& board) {
  board.ready = 1;
  asm volatile(
      "1: mov %[pause], %%eax\n"
      "syscall\n"
      "lock incq (%[count])\n"
      "jmp 1b\n"
      :
      : [pause] "i"(SYS_pause), [count] "b"(&board.failures)
      : "rax", "rcx", "r11", "memory");
}

TEST(AttachForkEnds, CopyThatNeedsNoStackNeverRunsWhenItsHelperIsKilled) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(WaitWithoutAStack);
  child.AwaitReady();
  for (int round = 0; round < 5; ++round) {
    Forked forked = ForkTarget(child.pid());
    ASSERT_EQ(forked.error, "");
    kill(FindHelper(), SIGKILL);
    ASSERT_TRUE(Eventually([&] { return !forked.frozen->CheckAlive().has_value(); }));
    forked.frozen.reset();
    ASSERT_EQ(child.board().failures, 0u);
    ASSERT_EQ(ChildrenOf(child.pid()), "");
  }
  EXPECT_EQ(child.State(), "S");
}

TEST(AttachForkEnds, CalledOffWhileItWaitsForAHelperThatDoesNotAnswer) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(CountInAllWords);
  child.AwaitReady();
  auto target = AttachProcess(child.pid(), {.userfaultfd = false});
  ASSERT_TRUE(target.has_value()) << target.error().message;
  int asked = 0;
  bool waiting = false;
  ASSERT_TRUE((*target)
                  ->Pause({.stop_timeout = std::chrono::seconds(2),
                           .cancelled = [&] { return waiting && ++asked == 3; },
                           .for_fork = true})
                  .has_value());
  waiting = true;
  const pid_t helper = FindHelper();
  ASSERT_NE(helper, 0);
  kill(helper, SIGSTOP);
  const auto forked = (*target)->Fork();
  ASSERT_FALSE(forked.has_value());
  EXPECT_EQ(forked.error().code, ErrorCode::kInterrupted) << forked.error().message;
  EXPECT_EQ(asked, 3);
  kill(helper, SIGCONT);
  EXPECT_TRUE((*target)->Resume().has_value());
  EXPECT_TRUE(child.Progresses());
  target->reset();
  EXPECT_TRUE(Eventually([&] { return ChildrenOf(child.pid()).empty() && FindHelper() == 0; }));
  EXPECT_TRUE(Eventually([&] { return IsLetGo(child.pid()); }));
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

}  // namespace
}  // namespace stillframe::test
