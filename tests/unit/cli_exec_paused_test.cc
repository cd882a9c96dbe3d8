#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/unique_fd.h"
#include "cli/exec_paused.h"

namespace stillframe {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLong(30);

class ExecPausedTest : public testing::Test {
 protected:
  ExecPausedTest() {
    std::string name = std::filesystem::temp_directory_path() / "exec_paused.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    directory_ = name;
  }
  ~ExecPausedTest() override { std::filesystem::remove_all(directory_); }

  std::string File(const std::string& name) const { return directory_ / name; }
  static std::string Contents(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Waits until a command has written a whole line there, and returns it as a number.
  static pid_t AwaitPid(const std::string& path) {
    for (;;) {
      const std::string text = Contents(path);
      if (text.ends_with('\n')) return std::stoi(text);
      std::this_thread::sleep_for(milliseconds(2));
    }
  }
  // True once the process is gone: a pidfd that was opened while it lived tells, whoever its parent
  // is.
  static bool AwaitEnd(const UniqueFd& pidfd) {
    pollfd event = {pidfd.get(), POLLIN, 0};
    return poll(&event, 1, 30'000) == 1;
  }
  static UniqueFd OpenPidfd(pid_t pid) {
    return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  }

  std::filesystem::path directory_;
};

TEST_F(ExecPausedTest, TheCommandKnowsTheTargetAndSucceeds) {
  const auto exec = ExecPaused::Start("echo $STILLFRAME_PID > " + File("pid"));
  ASSERT_TRUE(exec);
  const auto result = (*exec)->Run(4711, kLong);
  EXPECT_TRUE(result) << result.error().message;
  EXPECT_EQ(Contents(File("pid")), "4711\n");
}

TEST_F(ExecPausedTest, AStatusThatIsNotZeroIsAnError) {
  const auto exec = ExecPaused::Start("exit 7");
  const auto result = (*exec)->Run(1, kLong);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  EXPECT_EQ(result.error().message, "the --exec-paused command failed with status 7");
}

TEST_F(ExecPausedTest, ACommandThatASignalEndedIsAnError) {
  const auto exec = ExecPaused::Start("kill -TERM $$");
  const auto result = (*exec)->Run(1, kLong);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "the --exec-paused command was killed by signal 15");
}

TEST_F(ExecPausedTest, ACommandThatTakesTooLongIsKilledWithAllItStarted) {
  // setsid: out of the process group, so that killing the group alone would not do.
  const auto exec = ExecPaused::Start("setsid sh -c 'echo $$ > " + File("child") +
                                      "; sleep 1000' & echo $$ > " + File("shell") + "; wait");
  Result<void> result;
  std::thread runner([&] { result = (*exec)->Run(1, seconds(2)); });
  const UniqueFd child = OpenPidfd(AwaitPid(File("child")));
  const UniqueFd shell = OpenPidfd(AwaitPid(File("shell")));
  runner.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kLimit);
  EXPECT_TRUE(AwaitEnd(shell));
  EXPECT_TRUE(AwaitEnd(child));
}

TEST_F(ExecPausedTest, CancelEndsTheCommand) {
  const auto exec = ExecPaused::Start("echo $$ > " + File("shell") + "; sleep 1000");
  Result<void> result;
  std::thread runner([&] { result = (*exec)->Run(1, kLong); });
  const UniqueFd shell = OpenPidfd(AwaitPid(File("shell")));
  (*exec)->Cancel();
  runner.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInterrupted);
  EXPECT_TRUE(AwaitEnd(shell));
}

TEST_F(ExecPausedTest, ACancelThatCameFirstIsHeard) {
  const auto exec = ExecPaused::Start("sleep 1000");
  (*exec)->Cancel();
  const auto result = (*exec)->Run(1, kLong);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInterrupted);
}

TEST_F(ExecPausedTest, WhatTheCommandLeftBehindEndsWithUs) {
  UniqueFd left;
  {
    const auto exec = ExecPaused::Start("sleep 1000 & echo $! > " + File("left"));
    ASSERT_TRUE((*exec)->Run(1, kLong));
    left = OpenPidfd(AwaitPid(File("left")));
    ASSERT_TRUE(left);
  }
  EXPECT_TRUE(AwaitEnd(left));
}

TEST_F(ExecPausedTest, OurOwnKillTakesTheCommandAlong) {
  const pid_t us = fork();
  if (us == 0) {
    const auto exec =
        ExecPaused::Start("setsid sh -c 'echo $$ > " + File("child") + "; sleep 1000'");
    [[maybe_unused]] const auto result = (*exec)->Run(1, kLong);
    _exit(1);
  }
  const UniqueFd child = OpenPidfd(AwaitPid(File("child")));
  kill(us, SIGKILL);
  int status = 0;
  waitpid(us, &status, 0);
  EXPECT_TRUE(AwaitEnd(child));
}

TEST_F(ExecPausedTest, StdinIsEmptyAndSignalsAreAsUsual) {
  signal(SIGPIPE, SIG_IGN);
  const auto exec = ExecPaused::Start("wc -c > " + File("stdin") +
                                      "; grep Sig /proc/self/status > " + File("signals"));
  ASSERT_TRUE((*exec)->Run(1, kLong));
  signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(Contents(File("stdin")), "0\n");
  const std::string signals = Contents(File("signals"));
  EXPECT_NE(signals.find("SigBlk:\t0000000000000000"), std::string::npos) << signals;
  EXPECT_NE(signals.find("SigIgn:\t0000000000000000"), std::string::npos) << signals;
}

TEST_F(ExecPausedTest, TheCommandHoldsNoDescriptorOfOurs) {
  const UniqueFd inherited(open("/dev/null", O_RDONLY));  // not even one without O_CLOEXEC
  // Not through a pipe, whose ends the shell may still hold then; and not by what it does last,
  // which it may do without a child.
  const auto exec = ExecPaused::Start("ls /proc/$$/fd > " + File("fds") + "; true");
  ASSERT_TRUE((*exec)->Run(1, kLong));
  const std::string fds = "\n" + Contents(File("fds"));
  // Above the standard streams only what the shell itself opened, at 10 and up.
  for (int fd = 0; fd < 10; ++fd) {
    EXPECT_EQ(fds.find("\n" + std::to_string(fd) + "\n") != std::string::npos, fd <= 2)
        << fd << ":" << fds;
  }
}

TEST_F(ExecPausedTest, WhatTheCommandPrintsGoesToStderr) {
  std::array<int, 2> out = {-1, -1};
  std::array<int, 2> err = {-1, -1};
  ASSERT_EQ(pipe2(out.data(), O_CLOEXEC) | pipe2(err.data(), O_CLOEXEC), 0);
  const pid_t us = fork();
  if (us == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    const auto exec = ExecPaused::Start("echo hello");
    _exit((*exec)->Run(1, kLong) ? 0 : 1);
  }
  close(out[1]);
  close(err[1]);
  std::array<char, 64> text = {};
  EXPECT_EQ(read(err[0], text.data(), text.size()), 6);
  EXPECT_STREQ(text.data(), "hello\n");
  EXPECT_EQ(read(out[0], text.data(), text.size()), 0);
  waitpid(us, nullptr, 0);
  close(out[0]);
  close(err[0]);
}

}  // namespace
}  // namespace stillframe
