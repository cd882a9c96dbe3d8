#include "store/write_behind.h"

#include <fcntl.h>

namespace stillframe {

void WriteBehind::OnWritten(Bytes position) {
  constexpr auto kLength = static_cast<off_t>(kWindow.count);
  while (position.count - started_ >= kWindow.count) {
    sync_file_range(fd_, static_cast<off_t>(started_), kLength, SYNC_FILE_RANGE_WRITE);
    // That window had all this time to reach the disk, so that waiting for it costs little.
    if (started_ - dropped_ >= kept_) {
      const auto begin = static_cast<off_t>(dropped_);
      sync_file_range(
          fd_, begin, kLength,
          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
      posix_fadvise(fd_, begin, kLength, POSIX_FADV_DONTNEED);
      dropped_ += kWindow.count;
    }
    started_ += kWindow.count;
  }
}

}  // namespace stillframe
