// Forks of targets that do a lot: threads that come and go, signals, stopped jobs, threads that
// don't stop in time.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "attach_bodies.h"
#include "attach_fork_child.h"

namespace stillframe::test {
namespace {

PauseOptions ForFork() { return {.stop_timeout = std::chrono::seconds(2), .for_fork = true}; }

TEST(AttachForkBusy, ThreadsThatStartAndEndAllTheTime) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) { StartAndEndThreads(board, 4); });
  child.AwaitReady();
  for (int round = 0; round < 20; ++round) {
    Forked forked = ForkTarget(child.pid(), true);
    ASSERT_EQ(forked.error, "");
    const uint64_t before = child.board().progress;
    usleep(2000);
    EXPECT_EQ(child.board().progress, before);
    ASSERT_TRUE(forked.target->Resume().has_value());
    forked.frozen.reset();
    ASSERT_TRUE(child.Progresses());
    ASSERT_EQ(ChildrenOf(child.pid()), "");
  }
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachForkBusy, NoSignalIsLostAndNoneComesTwice) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(TakeNumberedSignals);
  child.AwaitReady();
  NumberedSignals signals(child.pid());
  EXPECT_EQ(ForkAndDrop(child.pid(), 30), "");
  const uint64_t sent = signals.Stop();
  EXPECT_TRUE(Eventually([&] { return child.board().progress == sent; }))
      << child.board().progress << " of " << sent;
  EXPECT_EQ(child.board().failures, 0u) << "out of order";
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachForkBusy, StoppedJobStaysStopped) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) {
      ++board.progress;
      usleep(500);
    }
  });
  child.AwaitReady();
  kill(child.pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
  const uint64_t progress = child.board().progress;
  EXPECT_EQ(ForkAndDrop(child.pid(), 10), "");
  EXPECT_TRUE(Eventually([&] { return child.State() == "T"; })) << child.State();
  EXPECT_EQ(child.board().progress, progress);
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  kill(child.pid(), SIGCONT);
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

// Each signal that stops or continues the job hits the injected calls at another place.
TEST(AttachForkBusy, JobThatIsStoppedAndContinuedAllTheTime) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) {
      ++board.progress;
      usleep(100);
    }
  });
  child.AwaitReady();
  std::atomic<bool> done = false;
  std::thread sender([&] {
    while (!done) {
      kill(child.pid(), SIGSTOP);
      usleep(150);
      kill(child.pid(), SIGCONT);
      usleep(150);
    }
  });
  EXPECT_EQ(ForkAndDrop(child.pid(), 50), "");
  done = true;
  sender.join();
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

class AttachForkBusyVfork : public testing::Test {
 protected:
  void ExpectFails(const PauseOptions& options, ErrorCode code) {
    if (!CanAttach()) GTEST_SKIP();
    Child child(WaitForVforkChild);
    child.AwaitReady();
    auto target = AttachProcess(child.pid(), {.userfaultfd = false});
    ASSERT_TRUE(target.has_value()) << target.error().message;
    child.board().value[0] = 1;
    ASSERT_TRUE(Eventually([&] { return child.board().value[1] == 1; }));
    const auto paused = (*target)->Pause(options);
    ASSERT_FALSE(paused.has_value());
    EXPECT_EQ(paused.error().code, code) << paused.error().message;
    EXPECT_EQ((*target)->Fork().error().code, ErrorCode::kUsage);
    EXPECT_TRUE(child.Progresses()) << "the thread that was held has been let go";
    child.board().stop = 1;
    ASSERT_TRUE(Eventually([&] { return child.board().value[2] == 1; })) << "it goes on by itself";
    ASSERT_TRUE((*target)->Pause(ForFork()).has_value());
    EXPECT_TRUE((*target)->Fork().has_value());
    EXPECT_TRUE((*target)->Resume().has_value());
    EXPECT_TRUE(child.Progresses());
    child.board().value[3] = 1;
    EXPECT_EQ(child.AwaitEnd(), 0);
  }
};

TEST_F(AttachForkBusyVfork, ThreadThatDoesNotStopInTime) {
  ExpectFails({.stop_timeout = std::chrono::milliseconds(30), .for_fork = true}, ErrorCode::kLimit);
}

TEST_F(AttachForkBusyVfork, Cancelled) {
  int asked = 0;
  ExpectFails({.stop_timeout = std::chrono::hours(1),
               .cancelled = [&] { return ++asked > 20; },
               .for_fork = true},
              ErrorCode::kInterrupted);
}

}  // namespace
}  // namespace stillframe::test
