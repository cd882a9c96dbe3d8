#include "base/unique_fd.h"

#include <unistd.h>

#include <cerrno>

namespace stillframe {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) {
    // Called on error paths, whose errno must survive.
    const int saved_errno = errno;
    close(fd_);
    errno = saved_errno;
  }
  fd_ = fd;
}

}  // namespace stillframe
