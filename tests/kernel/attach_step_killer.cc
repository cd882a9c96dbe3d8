#include "attach_step_killer.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <thread>

#include "attach_fork_child.h"
#include "attach_hold_registers.h"
#include "base/fail_point.h"

namespace stillframe::test {
namespace {

// Of steps that are done many times over, the first few and no more are worth a death each.
constexpr int kMostOfOneKind = 12;

// Runs the job in a process of its own, with this variable set; returns how that ended.
int RunAttacher(pid_t target, const AttachJob& job, const std::string& variable,
                const std::string& value) {
  Child attacher([&](Board&) {
    setenv(variable.c_str(), value.c_str(), 1);
    InitFailPoints();
    const std::string error = job(target);
    if (!error.empty()) std::fprintf(stderr, "%s\n", error.c_str());
    _exit(error.empty() ? 0 : 1);
  });
  return attacher.AwaitEnd();
}

// How often each step is done.
std::map<std::string, int> ListSteps(pid_t target, const AttachJob& job) {
  char path[] = "/tmp/stillframe-steps-XXXXXX";
  close(mkstemp(path));
  EXPECT_EQ(RunAttacher(target, job, "STILLFRAME_FAIL_TRACE", path), 0);
  std::map<std::string, int> steps;
  std::istringstream trace(ReadAll(path));
  unlink(path);
  for (std::string line; std::getline(trace, line);) ++steps[line];
  return steps;
}

// The injection helper outlives us for a moment; being orphaned, it becomes our child.
bool HelpersAreGone(const Child& target) {
  std::istringstream children(ReadAll("/proc/self/task/" + std::to_string(getpid()) + "/children"));
  bool gone = true;
  for (pid_t child = 0; children >> child;) {
    if (child == target.pid()) continue;
    gone = false;
    waitpid(child, nullptr, WNOHANG | __WALL);
  }
  return gone;
}

}  // namespace

void RunCheckingTarget(Board& board) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  std::thread([&board] {
    int fds[2];
    if (pipe(fds) != 0) ++board.failures;
    board.value[1] = fds[1];
    ++board.ready;
    char byte = 0;
    // Nothing is ever written, so this must never come back.
    if (read(fds[0], &byte, 1) != 1) ++board.failures;
  }).detach();
  std::thread([&board] {
    while (board.stop == 0) {
      board.failures += HoldRegisters(50'000) == 0 ? 0 : 1;
      ++board.value[2];
    }
  }).detach();
  while (board.ready == 0) usleep(100);
  ++board.ready;
  while (board.stop == 0) {
    const timespec wait{.tv_sec = 0, .tv_nsec = 200'000};
    if (nanosleep(&wait, nullptr) != 0) ++board.failures;
    ++board.progress;
  }
}

bool IsLetGo(pid_t target) {
  const std::string tasks = "/proc/" + std::to_string(target) + "/task";
  DIR* directory = opendir(tasks.c_str());
  if (directory == nullptr) return false;
  bool free = true;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const std::string status = ReadAll(tasks + "/" + entry->d_name + "/status");
    free = free && status.find("TracerPid:\t0\n") != std::string::npos;
  }
  closedir(directory);
  return free;
}

void KillAtEachStep(const std::function<void(Board&)>& confine, const AttachJob& job,
                    size_t least_steps) {
  if (!CanAttach()) GTEST_SKIP();
#ifndef STILLFRAME_FAIL_POINTS
  GTEST_SKIP() << "built without fail points";
#endif
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Child target([&](Board& board) {
    confine(board);
    RunCheckingTarget(board);
  });
  ASSERT_TRUE(Eventually([&] { return target.board().ready == 2; }));
  const auto inner = static_cast<pid_t>(target.board().value[7]);
  const pid_t pid = inner == 0 ? target.pid() : inner;
  const std::string proc = "/proc/" + std::to_string(pid) + "/";
  const std::map<std::string, int> steps = ListSteps(pid, job);
  EXPECT_GE(steps.size(), least_steps);
  const std::string files = target.OpenFiles();
  const std::string maps = ReadAll(proc + "maps");
  for (const auto& [name, count] : steps) {
    for (int nth = 1; nth <= std::min(count, kMostOfOneKind); ++nth) {
      const std::string step = name + ":" + std::to_string(nth);
      SCOPED_TRACE(step);
      // A step may be done once less the second time (threads differ in how often they are asked).
      const int status = RunAttacher(pid, job, "STILLFRAME_FAIL_POINT", step);
      EXPECT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || (nth > 1 && status == 0))
          << status;
      ASSERT_TRUE(Eventually([&] {
        return HelpersAreGone(target) && IsLetGo(pid) && ChildrenOf(pid).empty();
      })) << ChildrenOf(pid);
      const int64_t holds = target.board().value[2];
      ASSERT_TRUE(target.Progresses());
      ASSERT_TRUE(Eventually([&] { return target.board().value[2] > holds + 1; }));
      ASSERT_EQ(target.board().failures, 0u);
      ASSERT_EQ(target.OpenFiles(), files);
    }
  }
  EXPECT_EQ(ReadAll(proc + "maps"), maps);
  EXPECT_EQ(job(pid), "");
  target.board().stop = 1;
  EXPECT_EQ(target.AwaitEnd(), 0);
}

}  // namespace stillframe::test
