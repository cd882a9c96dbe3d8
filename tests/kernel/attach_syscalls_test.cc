// A thread that is blocked in a system call goes on with it as if nothing had been: no EINTR where
// the call does not document it for a mere stop, no result lost.
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "attach_fork_child.h"

namespace stillframe::test {
namespace {

constexpr int kRounds = 20;
constexpr int kForks = 5;

// Blocks the child in `call`, attaches to it again and again, then sets `stop` and ends the call by
// `finish`.
void ExpectUndisturbed(const std::function<bool(Board&)>& call,
                       const std::function<void(Child&)>& finish) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([&](Board& board) {
    board.value[7] = gettid();
    board.ready = 1;
    const bool good = call(board);
    board.failures += good ? 0 : 1;
    board.failures += board.stop == 0 ? 1 : 0;  // came back before it should
  });
  child.AwaitReady();
  ASSERT_TRUE(Eventually([&] { return child.State() == "S"; }));
  const std::string call_before = child.ProcFile("syscall");
  EXPECT_EQ(AttachAndPause(child.pid(), kRounds), "");
  EXPECT_EQ(ForkAndDrop(child.pid(), kForks), "");
  ASSERT_TRUE(Eventually([&] { return child.State() == "S"; }));
  EXPECT_EQ(child.board().failures, 0u);
  // Same call, same arguments; a call that is restarted by restart_syscall(2) has that number.
  const std::string call_after = child.ProcFile("syscall");
  if (!call_after.starts_with("219 ")) {
    EXPECT_EQ(call_after, call_before);
  }
  child.board().stop = 1;
  finish(child);
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachInSystemCall, NanosleepSleepsOn) {
  ExpectUndisturbed(
      [](Board& board) {
        const timespec wait{.tv_sec = 3, .tv_nsec = 0};
        const bool good = nanosleep(&wait, nullptr) == 0;
        board.stop = 1;  // ends by itself
        return good;
      },
      [](Child&) {});
}

TEST(AttachInSystemCall, ReadWaitsOn) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  ExpectUndisturbed(
      [&](Board&) {
        char byte = 0;
        return read(pipe_fds[0], &byte, 1) == 1 && byte == 'x';
      },
      [&](Child&) { ASSERT_EQ(write(pipe_fds[1], "x", 1), 1); });
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(AttachInSystemCall, FutexWaitsOn) {
  ExpectUndisturbed(
      [](Board& board) {
        auto* word = reinterpret_cast<uint32_t*>(&board.value[0]);
        return syscall(SYS_futex, word, FUTEX_WAIT, 0, nullptr, nullptr, 0) == 0;
      },
      [](Child& child) {
        auto* word = reinterpret_cast<uint32_t*>(&child.board().value[0]);
        EXPECT_EQ(syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0), 1);
      });
}

TEST(AttachInSystemCall, FutexWithTimeoutWaitsOn) {
  ExpectUndisturbed(
      [](Board& board) {
        auto* word = reinterpret_cast<uint32_t*>(&board.value[0]);
        const timespec limit{.tv_sec = 100, .tv_nsec = 0};
        return syscall(SYS_futex, word, FUTEX_WAIT, 0, &limit, nullptr, 0) == 0;
      },
      [](Child& child) {
        auto* word = reinterpret_cast<uint32_t*>(&child.board().value[0]);
        EXPECT_EQ(syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0), 1);
      });
}

TEST(AttachInSystemCall, PollWaitsOn) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  ExpectUndisturbed(
      [&](Board&) {
        pollfd entry{.fd = pipe_fds[0], .events = POLLIN, .revents = 0};
        return poll(&entry, 1, 100'000) == 1;
      },
      [&](Child&) { ASSERT_EQ(write(pipe_fds[1], "x", 1), 1); });
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

void OnUser1(int) {}

void InstallUser1(bool block) {
  struct sigaction action {};
  action.sa_handler = OnUser1;
  sigaction(SIGUSR1, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  if (block) sigprocmask(SIG_BLOCK, &set, nullptr);
}

bool IsBlocked(int signal) {
  sigset_t now;
  sigprocmask(SIG_BLOCK, nullptr, &now);
  return sigismember(&now, signal) == 1;
}

TEST(AttachInSystemCall, PauseWaitsOnUntilASignal) {
  ExpectUndisturbed(
      [](Board&) {
        InstallUser1(false);
        return pause() == -1 && errno == EINTR;
      },
      [](Child& child) { kill(child.pid(), SIGUSR1); });
}

TEST(AttachInSystemCall, SigsuspendWaitsOnAndGivesTheMaskBack) {
  ExpectUndisturbed(
      [](Board&) {
        InstallUser1(true);
        sigset_t none;
        sigemptyset(&none);
        return sigsuspend(&none) == -1 && errno == EINTR && IsBlocked(SIGUSR1);
      },
      [](Child& child) { kill(child.pid(), SIGUSR1); });
}

TEST(AttachInSystemCall, PpollWaitsOnAndGivesTheMaskBack) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  ExpectUndisturbed(
      [&](Board&) {
        InstallUser1(true);
        sigset_t none;
        sigemptyset(&none);
        pollfd entry{.fd = pipe_fds[0], .events = POLLIN, .revents = 0};
        return ppoll(&entry, 1, nullptr, &none) == 1 && IsBlocked(SIGUSR1);
      },
      [&](Child&) { ASSERT_EQ(write(pipe_fds[1], "x", 1), 1); });
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(AttachInSystemCall, WaitForAChildWaitsOn) {
  ExpectUndisturbed(
      [](Board& board) {
        const pid_t other = fork();
        if (other == 0) {
          while (board.stop == 0) usleep(1000);
          _exit(7);
        }
        int status = 0;
        return waitpid(other, &status, 0) == other && WEXITSTATUS(status) == 7;
      },
      [](Child&) {});
}

}  // namespace
}  // namespace stillframe::test
