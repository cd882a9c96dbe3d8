#include "sys/event_fd.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <new>

namespace stillframe {

EventFd::EventFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw std::bad_alloc();
}

void EventFd::Notify() const {
  const int saved_errno = errno;
  const uint64_t one = 1;
  // Fails only when the counter is full, and then whoever waits is awake already.
  [[maybe_unused]] const ssize_t n = write(fd_.get(), &one, sizeof(one));
  errno = saved_errno;
}

void EventFd::Clear() const {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = read(fd_.get(), &count, sizeof(count));
}

bool EventFd::Wait(Duration timeout) const {
  if (timeout.count() < 0) timeout = Duration(0);
  pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  const timespec limit{.tv_sec = static_cast<time_t>(timeout.count() / 1'000'000'000),
                       .tv_nsec = static_cast<long>(timeout.count() % 1'000'000'000)};
  const int n = ppoll(&entry, 1, &limit, nullptr);
  if (n <= 0) return false;
  Clear();
  return true;
}

}  // namespace stillframe
