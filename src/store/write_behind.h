// Keeps an image from flooding the page cache while it is written.
#ifndef STILLFRAME_STORE_WRITE_BEHIND_H_
#define STILLFRAME_STORE_WRITE_BEHIND_H_

#include <cstdint>

#include "stillframe/units.h"

namespace stillframe {

// Without it gigabytes of dirty pages pile up: other programs' pages are evicted for ours, which
// nobody will read soon, their fsync waits for our data, and our own at the end takes as long as
// the disk needs for all of it. So each window is sent to the disk as soon as it is full, and
// dropped from the cache when the next one is.
//
// Thread rule: one thread.
class WriteBehind {
 public:
  static constexpr Bytes kWindow = MiB(8);

  // `fd`: a regular file, not owned. `kept`: how much of what went to the disk stays in the cache
  // for whoever reads it back soon, in whole windows.
  explicit WriteBehind(int fd, Bytes kept = kWindow) : fd_(fd), kept_(kept.count) {}

  // `position`: bytes in the file so far. Returns 0, or errno of what could not be written to the
  // disk: the file is then of no use, and no fsync will tell of it.
  [[nodiscard]] int OnWritten(Bytes position);

 private:
  const int fd_;
  const uint64_t kept_;
  uint64_t started_ = 0;  // up to here writing to the disk was begun
  uint64_t dropped_ = 0;  // up to here it has ended
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_WRITE_BEHIND_H_
