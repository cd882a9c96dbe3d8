#include "support/child_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "support/machine.h"

namespace stillframe::bench {
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

ChildProcess::ChildProcess(const std::function<int()>& body, int keep) {
  std::fflush(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) Die("fork");
  if (pid_ > 0) return;
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
  if (!reaped_ && waitpid(pid_, &status, 0) == pid_) {
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

}  // namespace stillframe::bench
