#include "sys/pidfd.h"

#include <linux/kcmp.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace stillframe {
namespace {

std::optional<bool> Compare(pid_t a, pid_t b, int kind, int a_item, int b_item) {
  const long order = syscall(SYS_kcmp, a, b, kind, static_cast<unsigned long>(a_item),
                             static_cast<unsigned long>(b_item));
  if (order < 0) return std::nullopt;
  return order == 0;
}

}  // namespace

UniqueFd OpenPidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

bool PidfdExited(int pidfd) {
  pollfd entry{.fd = pidfd, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) == 1 && entry.revents != 0;
}

UniqueFd PidfdGetFd(int pidfd, int fd) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, fd, 0)));
}

std::optional<bool> SameMemory(pid_t a, pid_t b) { return Compare(a, b, KCMP_VM, 0, 0); }

std::optional<bool> SameDescriptorTable(pid_t a, pid_t b) {
  return Compare(a, b, KCMP_FILES, 0, 0);
}

std::optional<bool> SameFile(pid_t a, int a_fd, pid_t b, int b_fd) {
  return Compare(a, b, KCMP_FILE, a_fd, b_fd);
}

}  // namespace stillframe
