// Signals that arrive while a thread is being injected into, or while all stand still, arrive
// afterwards: each, once, in order.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <thread>

#include "attach_bodies.h"
#include "attach_child.h"

namespace stillframe::test {
namespace {

Board* handler_board = nullptr;

void OnTimer(int, siginfo_t*, void*) { ++handler_board->value[1]; }

void Handle(int signal, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(signal, &action, nullptr);
}

TEST(AttachSignals, NoneIsLostUnderAThousandASecond) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    handler_board = &board;
    Handle(SIGALRM, OnTimer);
    const itimerval each_millisecond{.it_interval = {0, 1000}, .it_value = {0, 1000}};
    setitimer(ITIMER_REAL, &each_millisecond, nullptr);
    TakeNumberedSignals(board);
  });
  child.AwaitReady();
  NumberedSignals signals(child.pid());
  EXPECT_EQ(AttachAndPause(child.pid(), 50), "");
  const uint64_t sent = signals.Stop();
  EXPECT_TRUE(Eventually([&] { return child.board().progress == sent; }))
      << child.board().progress << " of " << sent;
  EXPECT_EQ(child.board().failures, 0u) << "out of order";
  EXPECT_GT(child.board().value[1], 0);
  const int64_t ticks = child.board().value[1];
  EXPECT_TRUE(Eventually([&] { return child.board().value[1] > ticks + 5; }))
      << "the timer stopped";
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachSignals, MaskAndPendingSignalsStayAsTheyAre) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    HandleNumberedSignals(board);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, kNumberedSignal);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_SETMASK, &blocked, nullptr);
    for (int i = 0; i < 3; ++i) {
      sigval value{};
      value.sival_int = i;
      sigqueue(getpid(), kNumberedSignal, value);
    }
    board.ready = 1;
    while (board.stop == 0) usleep(1000);
    sigemptyset(&blocked);
    sigprocmask(SIG_SETMASK, &blocked, nullptr);
  });
  child.AwaitReady();
  const std::string blocked = child.StatusField("SigBlk");
  const std::string pending = child.StatusField("ShdPnd");
  ASSERT_EQ(child.StatusField("SigQ").substr(0, 1) == "0", false);
  EXPECT_EQ(AttachAndPause(child.pid(), 10), "");
  EXPECT_EQ(child.StatusField("SigBlk"), blocked);
  EXPECT_EQ(child.StatusField("ShdPnd"), pending);
  EXPECT_EQ(child.board().progress, 0u) << "delivered although blocked";
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value());
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  const auto state = (*target)->CaptureState();
  ASSERT_TRUE((*target)->Resume().has_value());
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->threads.at(0).signal_mask, std::stoull(blocked, nullptr, 16));
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().progress, 3u);
  EXPECT_EQ(child.board().failures, 0u);
}

// More of one kind than are asked for at once, and one of another behind them.
TEST(AttachSignals, SignalsPendingForAThreadAreTold) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    sigset_t blocked;
    sigfillset(&blocked);
    sigprocmask(SIG_SETMASK, &blocked, nullptr);
    kill(getpid(), SIGHUP);  // the process's, not the thread's
    for (int i = 0; i < 40; ++i) pthread_sigqueue(pthread_self(), kNumberedSignal, sigval{});
    pthread_kill(pthread_self(), SIGUSR2);
    board.ready = 1;
    for (;;) pause();
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  const auto state = (*target)->CaptureState();
  ASSERT_TRUE((*target)->Resume().has_value());
  ASSERT_TRUE(state.has_value());
  const uint64_t expected =
      uint64_t{1} << (SIGUSR2 - 1) | uint64_t{1} << (static_cast<unsigned>(kNumberedSignal) - 1);
  EXPECT_EQ(state->threads.at(0).pending_signals, expected);
  EXPECT_EQ(std::stoull(child.StatusField("SigPnd"), nullptr, 16), expected) << "still pending";
}

TEST(AttachSignals, StoppedJobStaysStoppedUntilSigcont) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    std::thread([&] {
      for (;;) {
        ++board.value[0];
        usleep(500);
      }
    }).detach();
    board.ready = 1;
    while (board.stop == 0) {
      ++board.progress;
      usleep(500);
    }
  });
  child.AwaitReady();
  kill(child.pid(), SIGSTOP);
  ASSERT_TRUE(Eventually([&] { return child.State() == "T"; }));
  int status = 0;
  ASSERT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
  const uint64_t progress = child.board().progress;
  const int64_t other = child.board().value[0];
  EXPECT_EQ(AttachAndPause(child.pid(), 10), "");
  EXPECT_TRUE(Eventually([&] { return child.State() == "T"; })) << child.State();
  EXPECT_EQ(child.board().progress, progress);
  EXPECT_EQ(child.board().value[0], other);
  EXPECT_EQ(waitpid(child.pid(), &status, WNOHANG), 0) << "the job's parent was told of something";
  kill(child.pid(), SIGCONT);
  EXPECT_TRUE(child.Progresses());
  EXPECT_TRUE(Eventually([&] { return child.board().value[0] > other + 3; }));
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachSignals, JobStoppedWhilePausedIsStoppedAfterwards) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) {
      ++board.progress;
      usleep(500);
    }
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value());
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  kill(child.pid(), SIGSTOP);
  ASSERT_TRUE((*target)->Resume().has_value());
  EXPECT_TRUE(Eventually([&] { return child.State() == "T"; }));
  kill(child.pid(), SIGCONT);
  EXPECT_TRUE(child.Progresses());
}

}  // namespace
}  // namespace stillframe::test
