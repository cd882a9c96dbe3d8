#include "cli/probe_child.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace stillframe {
namespace {

const char probe_byte = ProbeChild::kByte;

// Between fork and _exit only what a signal handler may do.
[[noreturn]] void Live(int socket) {
  const pid_t self = getpid();
  if (send(socket, &self, sizeof(self), MSG_NOSIGNAL) != sizeof(self)) _exit(1);
  char end;
  while (recv(socket, &end, 1, 0) < 0 && errno == EINTR) {
  }
  _exit(0);
}

}  // namespace

const char& ProbeChild::byte() { return probe_byte; }

Result<ProbeChild> ProbeChild::Start() {
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(errno, "make a socket");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t between = fork();
  if (between < 0) return FailErrno(errno, "fork");
  if (between == 0) {
    if (fork() != 0) _exit(0);
    ours.reset();
    Live(theirs.get());
  }
  theirs.reset();
  waitpid(between, nullptr, 0);
  pid_t pid = 0;
  if (recv(ours.get(), &pid, sizeof(pid), MSG_WAITALL) != sizeof(pid)) {
    return Fail(ErrorCode::kInternal, "the child that things are tried on did not start");
  }
  return ProbeChild(pid, std::move(ours));
}

}  // namespace stillframe
