// Keeps a file that is written at many places from flooding the page cache.
#ifndef STILLFRAME_STORE_PLACED_WRITE_BEHIND_H_
#define STILLFRAME_STORE_PLACED_WRITE_BEHIND_H_

#include <cstdint>
#include <list>
#include <unordered_map>

#include "stillframe/units.h"

namespace stillframe {

// What WriteBehind is for a file that grows at its end. The file is seen in windows of 8 MiB. One
// that was filled is sent to the disk at once; of those that were not, the ones touched first are,
// as soon as all of them together hold 128 MiB: with 32 MiB a window was sent several times, in
// small pieces, where scattered pages come before a scan fills the rest. What was sent is dropped
// from the cache when as much as two windows was sent after it. So about 150 MiB of the file are in
// memory, wherever it is written.
//
// Thread rule: one thread.
class PlacedWriteBehind {
 public:
  // `fd`: a regular file, not owned.
  explicit PlacedWriteBehind(int fd) : fd_(fd) {}

  // [offset, offset + size) was written. Returns 0, or errno of what could not be written to the
  // disk: the file is then of no use, and no fsync will tell of it.
  [[nodiscard]] int OnWritten(uint64_t offset, Bytes size);

 private:
  static constexpr uint64_t kWindow = MiB(8).count;
  static constexpr uint64_t kMostWaiting = MiB(128).count;
  static constexpr uint64_t kMostSent = 2 * kWindow;

  struct Window {
    uint64_t number = 0;
    uint64_t bytes = 0;  // written since it was last sent
  };

  void Send(std::list<Window>::iterator window);
  void DropSent();

  const int fd_;
  // By when they were touched first. At least a byte each, and kMostWaiting in all, which bounds
  // their number.
  std::list<Window> waiting_;
  std::unordered_map<uint64_t, std::list<Window>::iterator> by_number_;
  uint64_t waiting_bytes_ = 0;
  std::list<Window> sent_;
  uint64_t sent_bytes_ = 0;
  int error_ = 0;  // the first one
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_PLACED_WRITE_BEHIND_H_
