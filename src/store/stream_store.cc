#include "store/stream_store.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "store/iovec_cursor.h"
#include "store/signal_guard.h"

namespace stillframe {
namespace {

constexpr size_t kChunk = MiB(1).count;
// The default of 64 KiB makes writer and reader switch sixteen times as often.
constexpr int kPipeSize = static_cast<int>(MiB(1).count);
constexpr int kReaderPollMs = 20;

// A pipe's size is a matter of speed only: not everybody may raise it.
void WidenPipe(int fd) {
  const int size = fcntl(fd, F_GETPIPE_SZ);
  if (size >= 0 && size < kPipeSize) fcntl(fd, F_SETPIPE_SZ, kPipeSize);
}

// A FIFO without a reader can't be opened with O_NONBLOCK, and without that the open waits where
// nobody can end it.
Result<UniqueFd> OpenFifo(const std::string& path, Duration reader_wait) {
  const TimePoint deadline = MonotonicClock().Now() + reader_wait;
  for (;;) {
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (fd) return fd;
    if (errno == EINTR) continue;
    if (errno != ENXIO) return FailErrno(errno, "opening " + path, {}, ErrorCode::kOutput);
    if (MonotonicClock().Now() >= deadline) {
      return Fail(ErrorCode::kOutput, "opening " + path + ": nobody has this FIFO open for reading",
                  "start its reader first");
    }
    poll(nullptr, 0, kReaderPollMs);
  }
}

}  // namespace

Result<std::unique_ptr<Store>> StreamStore::Make(std::string name, UniqueFd fd, Way way) {
  UniqueFd interrupt(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!interrupt) return FailErrno(errno, "creating an eventfd");
  std::unique_ptr<Store> store(
      new StreamStore(std::move(name), std::move(fd), way, std::move(interrupt)));
  return store;
}

Result<std::unique_ptr<Store>> StreamStore::FromDescriptor(int descriptor) {
  std::string name =
      descriptor == STDOUT_FILENO ? "standard output" : "descriptor " + std::to_string(descriptor);
  const int flags = fcntl(descriptor, F_GETFL);
  struct stat status;
  if (flags < 0 || fstat(descriptor, &status) != 0) {
    return FailErrno(errno, "writing to " + name, {}, ErrorCode::kUsage);
  }
  if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0 || S_ISDIR(status.st_mode)) {
    return Fail(ErrorCode::kUsage, "writing to " + name + ": it is not open for writing");
  }
  const bool is_file = S_ISREG(status.st_mode) || S_ISBLK(status.st_mode);
  if (!is_file && !S_ISSOCK(status.st_mode)) {
    const std::string self = "/proc/self/fd/" + std::to_string(descriptor);
    UniqueFd own(open(self.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (own) {
      WidenPipe(own.get());
      FailPoint("store.open");
      return Make(std::move(name), std::move(own), Way::kPrivate);
    }
  }
  UniqueFd copy(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  if (!copy) return FailErrno(errno, "duplicating " + name);
  FailPoint("store.open");
  const Way way = is_file ? Way::kFile : S_ISSOCK(status.st_mode) ? Way::kSocket : Way::kShared;
  return Make(std::move(name), std::move(copy), way);
}

Result<std::unique_ptr<Store>> StreamStore::FromPath(const std::string& path,
                                                     Duration reader_wait) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    return FailErrno(errno, "opening " + path, {}, ErrorCode::kOutput);
  }
  UniqueFd fd;
  if (S_ISFIFO(status.st_mode)) {
    STILLFRAME_ASSIGN(fd, OpenFifo(path, reader_wait));
    WidenPipe(fd.get());
  } else {
    // On a block device O_EXCL means: not while it is mounted.
    const int exclusive = S_ISBLK(status.st_mode) ? O_EXCL : 0;
    fd = UniqueFd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | exclusive));
    if (!fd && errno == EBUSY) {
      return Fail(ErrorCode::kUsage, "opening " + path + ": the device is in use",
                  "unmount it first, if it may be overwritten");
    }
    if (!fd) return FailErrno(errno, "opening " + path, {}, ErrorCode::kOutput);
  }
  FailPoint("store.open");
  const Way way = S_ISBLK(status.st_mode) ? Way::kFile : Way::kPrivate;
  return Make(path, std::move(fd), way);
}

StreamStore::StreamStore(std::string name, UniqueFd fd, Way way, UniqueFd interrupt)
    : name_(std::move(name)), fd_(std::move(fd)), way_(way), interrupt_(std::move(interrupt)) {}

tl::unexpected<Error> StreamStore::Failed(int error) const {
  if (error == EPIPE || error == ECONNRESET) {
    auto failure = Fail(ErrorCode::kOutput, "writing to " + name_ + ": the reader went away",
                        "see why the program that reads it ended");
    failure.value().system_errno = error;
    return failure;
  }
  return FailErrno(error, "writing to " + name_,
                   error == ENOSPC ? "free some space there, or choose another file system" : "",
                   ErrorCode::kOutput);
}

Result<void> StreamStore::Append(std::span<const iovec> parts) {
  SignalGuard guard;
  const size_t chunk = way_ == Way::kShared ? PIPE_BUF : kChunk;
  for (IovecCursor cursor(parts); !cursor.done();) {
    if (interrupted_.load(std::memory_order_relaxed)) {
      return Fail(ErrorCode::kInterrupted, "writing to " + name_ + " was interrupted");
    }
    if (way_ == Way::kShared) STILLFRAME_TRY(WaitForRoom());
    const ssize_t n = WriteOnce(cursor.Next(chunk));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      STILLFRAME_TRY(WaitForRoom());
      continue;
    }
    // Nothing of something is no answer that could be repeated for ever.
    if (n <= 0) {
      const int error = n < 0 ? errno : EIO;
      guard.OnFailure();
      return Failed(error);
    }
    FailPoint("store.append");
    cursor.Consume(static_cast<size_t>(n));
    Advance(static_cast<uint64_t>(n));
  }
  return {};
}

ssize_t StreamStore::WriteOnce(std::span<iovec> parts) {
  if (way_ != Way::kSocket) return writev(fd_.get(), parts.data(), static_cast<int>(parts.size()));
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// Returns on room, on an error of the other side (the next write tells which), and on Interrupt,
// which the caller checks.
Result<void> StreamStore::WaitForRoom() {
  std::array<pollfd, 2> waits{pollfd{.fd = fd_.get(), .events = POLLOUT, .revents = 0},
                              pollfd{.fd = interrupt_.get(), .events = POLLIN, .revents = 0}};
  while (poll(waits.data(), waits.size(), -1) < 0) {
    if (errno != EINTR) return FailErrno(errno, "waiting for room in " + name_);
  }
  if (waits[1].revents != 0) {
    return Fail(ErrorCode::kInterrupted, "writing to " + name_ + " was interrupted");
  }
  return {};
}

Result<void> StreamStore::Publish() {
  if (interrupted_.load(std::memory_order_relaxed)) {
    return Fail(ErrorCode::kInterrupted, "writing to " + name_ + " was interrupted");
  }
  if (way_ == Way::kFile && fsync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) {
    return FailErrno(errno, "syncing " + name_, {}, ErrorCode::kOutput);
  }
  FailPoint("store.sync");
  return {};
}

void StreamStore::Interrupt() {
  interrupted_.store(true, std::memory_order_relaxed);
  const int saved_errno = errno;
  const uint64_t one = 1;
  // Full only after 2^64 calls, and readable then as well.
  [[maybe_unused]] const ssize_t n = write(interrupt_.get(), &one, sizeof(one));
  errno = saved_errno;
}

}  // namespace stillframe
