// Parts of a file on their way to the disk.
#ifndef STILLFRAME_STORE_SYNC_RANGE_H_
#define STILLFRAME_STORE_SYNC_RANGE_H_

#include <fcntl.h>

#include <cerrno>
#include <cstdint>

namespace stillframe {

// Begins to write [offset, offset + size) to the disk.
inline void StartWriting(int fd, uint64_t offset, uint64_t size) {
  sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
}

// Waits until it is there, and drops it from the cache. Returns 0, or what went wrong: whoever
// waits this way is told of it in place of a later fsync(2), which then says that all is well.
inline int FinishWriting(int fd, uint64_t offset, uint64_t size) {
  const auto begin = static_cast<off_t>(offset);
  const auto length = static_cast<off_t>(size);
  const int waited = sync_file_range(
      fd, begin, length,
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  const int error = waited == 0 ? 0 : errno;
  posix_fadvise(fd, begin, length, POSIX_FADV_DONTNEED);
  // Not known here, which is no harm: all is left for fsync.
  return error == EINVAL || error == ENOSYS || error == ESPIPE ? 0 : error;
}

}  // namespace stillframe

#endif  // STILLFRAME_STORE_SYNC_RANGE_H_
