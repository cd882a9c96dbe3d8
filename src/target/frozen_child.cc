#include "target/frozen_child.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/pagemap.h"
#include "sys/pidfd.h"
#include "sys/process_memory.h"
#include "target/fork_helper.h"
#include "target/helper_process.h"

namespace stillframe {
namespace {

constexpr Duration kLongestEnd = std::chrono::seconds(30);

// Until the other end is shut. False when the time was up.
bool AwaitShut(int socket, Duration timeout) {
  const TimePoint end = MonotonicClock().Now() + timeout;
  pollfd entry{.fd = socket, .events = POLLIN, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - MonotonicClock().Now());
    if (left.count() <= 0) return false;
    if (poll(&entry, 1, static_cast<int>(left.count())) > 0) return true;
  }
}

bool IsReaped(int pidfd) {
  return syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) != 0 && errno == ESRCH;
}

}  // namespace

FrozenChild::FrozenChild(pid_t pid, pid_t in_target, pid_t target, FrozenFds fds,
                         std::shared_ptr<HelperProcess> helper)
    : pid_(pid),
      in_target_(in_target),
      target_(target),
      fds_(std::move(fds)),
      helper_(std::move(helper)) {}

FrozenChild::~FrozenChild() {
  shutdown(fds_.life.get(), SHUT_WR);
  FailPoint("fork.life-shut");
  const bool ended = AwaitShut(fds_.life.get(), kLongestEnd);
  if (!ended || IsReaped(fds_.pidfd.get()) || PidfdExited(fds_.target.get())) return;
  // The helper was killed, and the child with it. The target still has to wait for it.
  const ForkOrder order{.process = fds_.process.get(),
                        .pidfd = fds_.target.get(),
                        .orphan = in_target_,
                        .orphan_pidfd = fds_.pidfd.get()};
  HelperProcess cleaner;
  // Without one the zombie stays until the target ends.
  if (cleaner.Start(RunForkHelper, &order)) cleaner.AwaitEnd(kLongestEnd);
}

ReadOutcome FrozenChild::Read(TargetAddress from, std::span<const iovec> to) const {
  // Not by process_vm_readv, which would leave a copy of each page that it reads.
  return ReadMemoryFile(fds_.memory.get(), from, to);
}

Result<void> FrozenChild::CheckAlive() const {
  // Its memory goes long before the kernel is done with its exit, which is when the pidfd tells.
  std::array<PagemapEntry, 1> entry;
  const bool has_memory = ReadPagemap(fds_.pagemap.get(), {}, entry) == 1;
  if (has_memory && !PidfdExited(fds_.pidfd.get())) return {};
  return Fail(ErrorCode::kTargetGone,
              "the forked copy of process " + std::to_string(target_) + " was killed",
              "out of memory? (dmesg tells); the way wp needs no copy");
}

}  // namespace stillframe
