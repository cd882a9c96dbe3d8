// Waiting until every system call that is running is over.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "attach_bodies.h"
#include "attach_child.h"

namespace stillframe::test {
namespace {

const PauseOptions kPatient{.stop_timeout = std::chrono::seconds(2)};

TEST(AttachPassage, ACallThatIsRunningIsWaitedForAndItsNeighboursRunOn) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(WaitForVforkChild);
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  child.board().value[0] = 1;
  ASSERT_TRUE(Eventually([&] { return child.board().value[1] == 1; }));
  std::atomic<bool> over = false;
  Result<void> awaited;
  std::thread waiting([&] {
    awaited = (*target)->AwaitSystemCalls(kPatient);
    over = true;
  });
  // Whoever was asked has gone on, one excepted, which can't.
  EXPECT_TRUE(child.Progresses(1000));
  EXPECT_FALSE(over);
  child.board().stop = 1;
  waiting.join();
  EXPECT_TRUE(awaited) << awaited.error().message;
  EXPECT_TRUE(Eventually([&] { return child.board().value[2] == 1; }));
  child.board().value[3] = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachPassage, ACallThatDoesNotEndIsToldOfAndNothingStaysStopped) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(WaitForVforkChild);
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  child.board().value[0] = 1;
  ASSERT_TRUE(Eventually([&] { return child.board().value[1] == 1; }));
  const auto awaited = (*target)->AwaitSystemCalls({.stop_timeout = std::chrono::milliseconds(5)});
  ASSERT_FALSE(awaited.has_value());
  EXPECT_EQ(awaited.error().code, ErrorCode::kLimit) << awaited.error().message;
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_TRUE(Eventually([&] { return child.board().value[2] == 1; }));
  // As good as new.
  ASSERT_TRUE((*target)->AwaitSystemCalls(kPatient).has_value());
  child.board().value[3] = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

// epoll_wait ends with EINTR when its thread is stopped.
TEST(AttachPassage, AThreadThatWaitsForEventsIsLeftAlone) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    const int epoll = epoll_create1(0);
    epoll_event event{};
    std::thread waiter([&] {
      board.value[0] = gettid();
      for (;;) {
        ++board.value[1];
        epoll_wait(epoll, &event, 1, -1);
      }
    });
    waiter.detach();
    board.ready = 1;
    while (board.stop == 0) ++board.progress;
    close(epoll);
    _exit(0);
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  ASSERT_TRUE(Eventually([&] {
    const std::string tid = std::to_string(child.board().value[0]);
    return child.ProcFile("task/" + tid + "/syscall").starts_with("232 ");
  }));
  const int64_t waits = child.board().value[1];
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE((*target)->AwaitSystemCalls(kPatient).has_value());
  }
  EXPECT_EQ(child.board().value[1], waits);
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachPassage, ThreadsThatComeAndGoDoNotHoldItUp) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) { StartAndEndThreads(board, 2); });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  for (int round = 0; round < 20; ++round) {
    const auto awaited = (*target)->AwaitSystemCalls(kPatient);
    ASSERT_TRUE(awaited.has_value()) << awaited.error().message;
  }
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachPassage, SignalsReachTheirHandlersInOrder) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(TakeNumberedSignals);
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  NumberedSignals signals(child.pid());
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE((*target)->AwaitSystemCalls(kPatient).has_value());
  }
  const uint64_t sent = signals.Stop();
  EXPECT_TRUE(Eventually([&] { return child.board().progress == sent; }));
  EXPECT_EQ(child.board().failures, 0u);
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachPassage, ATargetThatIsGoneIsToldOf) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) usleep(1000);
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  const auto awaited = (*target)->AwaitSystemCalls(kPatient);
  ASSERT_FALSE(awaited.has_value());
  EXPECT_EQ(awaited.error().code, ErrorCode::kTargetGone);
}

}  // namespace
}  // namespace stillframe::test
