// Descriptors sent over a UNIX socket: SCM_RIGHTS of unix(7).
#ifndef STILLFRAME_SYS_FD_PASSING_H_
#define STILLFRAME_SYS_FD_PASSING_H_

#include <cstddef>
#include <span>

#include "base/unique_fd.h"

namespace stillframe {

inline constexpr size_t kMaxPassedFds = 8;

// No allocation; async-signal-safe.

// Sends `data` (at least a byte) and the descriptors in one message, without SIGPIPE. Returns 0 or
// errno.
int SendWithFds(int socket, std::span<const std::byte> data, std::span<const int> fds);

// What one message held. Descriptors are close-on-exec.
struct ReceivedMessage {
  int error = 0;    // errno; EAGAIN when none waits and the socket is non-blocking
  size_t size = 0;  // bytes of data; 0 with error 0: the other end is closed
  size_t fd_count = 0;
  UniqueFd fds[kMaxPassedFds];
};
ReceivedMessage ReceiveWithFds(int socket, std::span<std::byte> data);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_FD_PASSING_H_
