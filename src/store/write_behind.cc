#include "store/write_behind.h"

#include <fcntl.h>

namespace stillframe {

void WriteBehind::OnWritten(Bytes position) {
  while (position.count - started_ >= kWindow) {
    sync_file_range(fd_, static_cast<off_t>(started_), static_cast<off_t>(kWindow),
                    SYNC_FILE_RANGE_WRITE);
    // The window before had all this time to reach the disk, so that waiting for it costs little.
    if (dropped_ < started_) {
      const auto begin = static_cast<off_t>(dropped_);
      const auto length = static_cast<off_t>(started_ - dropped_);
      sync_file_range(
          fd_, begin, length,
          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
      posix_fadvise(fd_, begin, length, POSIX_FADV_DONTNEED);
      dropped_ = started_;
    }
    started_ += kWindow;
  }
}

}  // namespace stillframe
