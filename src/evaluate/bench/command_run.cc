#include "evaluate/bench/command_run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "evaluate/bench/child.h"

namespace stillframe::evaluate {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(2);

// In the child. The mask of the bench, which blocks all signals, would be the command's too.
int Become(const std::string& command, pid_t target, const std::string& output) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setenv("PID", std::to_string(target).c_str(), 1);
  setenv("OUTPUT", output.c_str(), 1);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
      dup2(null, STDERR_FILENO) < 0) {
    return 127;
  }
  execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
  return 127;
}

}  // namespace

Result<void> RunSaveCommand(const std::string& command, pid_t target, const std::string& output,
                            Duration timeout, const BenchStop& stop) {
  const TimePoint end = std::chrono::steady_clock::now() + timeout;
  STILLFRAME_ASSIGN(const auto child,
                    ChildProcess::Start([&] { return Become(command, target, output); }));
  while (!child->Ended()) {
    const bool late = std::chrono::steady_clock::now() > end;
    if (late || stop.cancelled()) {
      kill(-child->pid(), SIGKILL);
      return late ? Fail(ErrorCode::kLimit, "the command took too long: " + command)
                  : Fail(ErrorCode::kInterrupted, "interrupted: the bench was ended");
    }
    std::this_thread::sleep_for(kLook);
  }
  const int exit_code = child->Wait();
  if (exit_code == 0) return {};
  return Fail(ErrorCode::kInternal,
              "the command ended with " + std::to_string(exit_code) + ": " + command,
              "try it by hand: PID and OUTPUT are in its environment");
}

}  // namespace stillframe::evaluate
