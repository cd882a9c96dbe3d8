#include "evaluate/bench/self_fork.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

namespace stillframe::evaluate {
namespace {

constexpr size_t kBlock = size_t{1} << 20;
constexpr Duration kLook = std::chrono::milliseconds(1);

// In the child of a process with threads: system calls only.
int WriteOut(const char* path, std::span<const std::byte> memory) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  while (!memory.empty()) {
    const ssize_t n = write(fd, memory.data(), std::min(kBlock, memory.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    memory = memory.subspan(static_cast<size_t>(n));
  }
  return close(fd) == 0 ? 0 : errno;
}

// 0, or an errno.
int ForkAndWrite(const char* path, std::span<const std::byte> memory) {
  const pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    // Not to go on writing when the workload is killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(WriteOut(path, memory));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

}  // namespace

void ServeSelfForks(BenchControl& control, std::span<const std::byte> memory) {
  BenchControl::SelfFork& request = control.self_fork;
  while (!control.stop.load(std::memory_order_relaxed)) {
    if (request.state.load(std::memory_order_acquire) == BenchControl::SelfFork::kAsked) {
      request.error = ForkAndWrite(request.path.data(), memory);
      request.state.store(BenchControl::SelfFork::kDone, std::memory_order_release);
    }
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace stillframe::evaluate
