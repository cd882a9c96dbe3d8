#include "evaluate/bench/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace stillframe::evaluate {
namespace {

constexpr unsigned kFirstDescriptor = 3;

void CloseRange(unsigned first, unsigned last) {
  if (first <= last) syscall(SYS_close_range, first, last, 0U);
}

void CloseAllBut(int keep) {
  if (keep < static_cast<int>(kFirstDescriptor)) {
    CloseRange(kFirstDescriptor, ~0U);
    return;
  }
  const auto kept = static_cast<unsigned>(keep);
  CloseRange(kFirstDescriptor, kept - 1);
  CloseRange(kept + 1, ~0U);
}

int ExitCodeOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::function<int()>& body,
                                                          int keep) {
  std::fflush(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return FailErrno(errno, "starting a process for the bench: fork");
  if (pid > 0) return std::unique_ptr<ChildProcess>(new ChildProcess(pid));
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  CloseAllBut(keep);
  _exit(body());
}

ChildProcess::~ChildProcess() {
  if (reaped_) return;
  kill(pid_, SIGKILL);
  Wait();
}

int ChildProcess::Wait() {
  int status = 0;
  pid_t reaped = -1;
  while (!reaped_ && (reaped = waitpid(pid_, &status, 0)) < 0 && errno == EINTR) {
  }
  if (reaped == pid_) {
    reaped_ = true;
    exit_code_ = ExitCodeOf(status);
  }
  return exit_code_;
}

bool ChildProcess::Ended() {
  int status = 0;
  if (!reaped_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    reaped_ = true;
    exit_code_ = ExitCodeOf(status);
  }
  return reaped_;
}

}  // namespace stillframe::evaluate
