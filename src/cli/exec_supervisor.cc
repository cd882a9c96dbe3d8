#include "cli/exec_supervisor.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace stillframe {
namespace {

// Where the two descriptors are put, above the standard streams.
constexpr int kSocket = 3;
constexpr int kParent = 4;

// Keeps nothing of the command's descriptors but the two and stderr; what the shell writes goes
// there, stdout may be an image.
void ArrangeDescriptors(int socket, int parent) {
  // First out of the way of each other.
  const int high_socket = fcntl(socket, F_DUPFD_CLOEXEC, 10);
  const int high_parent = parent < 0 ? -1 : fcntl(parent, F_DUPFD_CLOEXEC, 10);
  if (high_socket < 0 || dup3(high_socket, kSocket, O_CLOEXEC) < 0) _exit(1);
  close(kParent);
  if (high_parent >= 0) dup3(high_parent, kParent, O_CLOEXEC);
  close_range(kParent + 1, ~0u, 0);
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) _exit(1);
  if (null > STDERR_FILENO && null != kParent) close(null);
  dup2(STDERR_FILENO, STDOUT_FILENO);
}

void ResetSignals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void RunShell(pid_t target, const char* command) {
  setpgid(0, 0);
  ResetSignals();
  std::array<char, 16> text = {};
  std::snprintf(text.data(), text.size(), "%d", target);
  setenv("STILLFRAME_PID", text.data(), 1);
  execl("/bin/sh", "sh", "-c", command, nullptr);
  _exit(127);
}

// SIGKILL for each child. Those of them that had children leave them to us, for the next round.
void KillChildren() {
  std::array<char, 64> path = {};
  std::snprintf(path.data(), path.size(), "/proc/self/task/%d/children", getpid());
  const int list = open(path.data(), O_RDONLY | O_CLOEXEC);
  if (list < 0) return;
  std::array<char, 4096> text = {};
  const ssize_t length = read(list, text.data(), text.size());
  close(list);
  std::string_view left(text.data(), length > 0 ? static_cast<size_t>(length) : 0);
  // A number that is cut off at the end has no space behind it: next round.
  for (size_t space; (space = left.find(' ')) != std::string_view::npos;
       left.remove_prefix(space + 1)) {
    pid_t child = 0;
    const auto [end, error] = std::from_chars(left.data(), left.data() + space, child);
    if (error == std::errc() && child > 0) kill(child, SIGKILL);
  }
}

class Supervisor {
 public:
  explicit Supervisor(const char* command) : command_(command) {}

  [[noreturn]] void Run() {
    for (;;) {
      std::array<pollfd, 3> events = {
          {{kSocket, POLLIN, 0}, {kParent, POLLIN, 0}, {child_fd_, POLLIN, 0}}};
      if (poll(events.data(), events.size(), -1) < 0) {
        if (errno == EINTR) continue;
        End();
      }
      if ((events[1].revents & POLLIN) != 0) End();
      if (events[0].revents != 0) HandleRequest();
      if (events[2].revents != 0) TellEnd();
    }
  }

 private:
  void HandleRequest() {
    ExecRequest request;
    const ssize_t length = recv(kSocket, &request, sizeof(request), 0);
    if (length < 0 && errno == EINTR) return;
    if (length != sizeof(request)) End();
    if (request.pid != 0) {
      Start(request.pid);
    } else {
      KillAll();
      Send({ExecOutcome::kKilled, 0});
    }
  }

  void Start(pid_t target) {
    child_ = fork();
    if (child_ == 0) RunShell(target, command_);
    if (child_ < 0) {
      child_ = 0;
      return Send({ExecOutcome::kFailed, errno});
    }
    setpgid(child_, child_);  // whoever of the two comes first
    child_fd_ = static_cast<int>(syscall(SYS_pidfd_open, child_, 0));
    if (child_fd_ < 0) {
      const int error = errno;
      KillAll();
      Send({ExecOutcome::kFailed, error});
    }
  }

  // The shell stays a zombie for now: while it is one, its process group can't be anybody else's.
  void TellEnd() {
    close(child_fd_);
    child_fd_ = -1;
    siginfo_t info = {};
    if (waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOWAIT) != 0) {
      return Send({ExecOutcome::kFailed, errno});
    }
    const int status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
    Send({ExecOutcome::kEnded, status});
  }

  void KillAll() {
    if (child_fd_ >= 0) close(child_fd_);
    child_fd_ = -1;
    if (child_ > 0) kill(-child_, SIGKILL);
    child_ = 0;
    for (;;) {
      KillChildren();
      pid_t reaped;
      while ((reaped = waitpid(-1, nullptr, WNOHANG | __WALL)) > 0) {
      }
      if (reaped < 0 && errno == ECHILD) return;
      const timespec moment = {0, 1'000'000};
      nanosleep(&moment, nullptr);
    }
  }

  void Send(ExecOutcome outcome) {
    if (send(kSocket, &outcome, sizeof(outcome), MSG_NOSIGNAL) < 0) End();
  }

  [[noreturn]] void End() {
    KillAll();
    _exit(0);
  }

  const char* command_;
  pid_t child_ = 0;
  int child_fd_ = -1;
};

}  // namespace

void RunExecSupervisor(int socket, int parent, const char* command) {
  // A group of its own, and no signal of the terminal: it has to be there until the command is
  // gone.
  setpgid(0, 0);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_NAME, "stillframe-exec");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  ArrangeDescriptors(socket, parent);
  Supervisor(command).Run();
}

}  // namespace stillframe
