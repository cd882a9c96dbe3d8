#include "store/write_behind.h"

#include "store/sync_range.h"

namespace stillframe {

int WriteBehind::OnWritten(Bytes position) {
  int error = 0;
  while (position.count - started_ >= kWindow.count) {
    StartWriting(fd_, started_, kWindow.count);
    // That window had all this time to reach the disk, so that waiting for it costs little.
    if (started_ - dropped_ >= kept_) {
      const int failed = FinishWriting(fd_, dropped_, kWindow.count);
      if (error == 0) error = failed;
      dropped_ += kWindow.count;
    }
    started_ += kWindow.count;
  }
  return error;
}

}  // namespace stillframe
