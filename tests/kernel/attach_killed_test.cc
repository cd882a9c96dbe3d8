// We are killed right after each single step of attaching and pausing. The target runs on, unharmed
// and unchanged, and can be attached to again.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach_step_killer.h"

namespace stillframe::test {
namespace {

std::string AttachOnce(pid_t pid) { return AttachAndPause(pid, 1); }

TEST(AttachKilled, AtEachStepWithUserfaultfdCall) {
  KillAtEachStep([](Board&) {}, AttachOnce, 20);
}

TEST(AttachKilled, AtEachStepWithTheDevice) {
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  const auto drop_rights = [](Board&) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(3);
  };
  KillAtEachStep(drop_rights, AttachOnce, 21);
}

TEST(AttachKilled, HoldingEverythingStoppedAndTheUserfaultfd) {
  if (!CanAttach()) GTEST_SKIP();
  Child target([](Board& board) { RunCheckingTarget(board); });
  ASSERT_TRUE(Eventually([&] { return target.board().ready == 2; }));
  Child attacher([&](Board& board) {
    auto attached = AttachProcess(target.pid());
    board.failures = attached && (*attached)->Pause(std::chrono::seconds(2)) ? 0 : 1;
    board.ready = 1;
    pause();
  });
  attacher.AwaitReady();
  EXPECT_EQ(attacher.board().failures, 0u);
  EXPECT_FALSE(IsLetGo(target.pid()));
  kill(attacher.pid(), SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(attacher.AwaitEnd()));
  EXPECT_TRUE(IsLetGo(target.pid()));
  EXPECT_TRUE(target.Progresses());
  EXPECT_EQ(target.board().failures, 0u);
}

}  // namespace
}  // namespace stillframe::test
