// Several writes to a file at a time, through io_uring.
#ifndef STILLFRAME_STORE_WRITE_RING_H_
#define STILLFRAME_STORE_WRITE_RING_H_

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace stillframe {

// No memory of the heap: all of a ring is mapped. Buffers are not registered with it, so that
// nothing stays pinned between two writes. The descriptor is not inherited by programs.
//
// Thread rule: one thread at a time. A thread that began a write may end before that does.
class WriteRing {
 public:
  struct Completion {
    size_t token = 0;
    int result = 0;  // bytes written, or -errno
  };

  WriteRing() = default;
  WriteRing(const WriteRing&) = delete;
  WriteRing& operator=(const WriteRing&) = delete;
  ~WriteRing() { Close(); }

  // For at most `entries` writes at a time. 0 or errno: the kernel has no io_uring, or it may not
  // be used here (kernel.io_uring_disabled, a seccomp filter, a limit).
  int Open(unsigned entries);
  // Nothing may be on its way.
  void Close();
  bool open() const { return open_; }

  // `bytes` must stay as they are until the write is over; `token` tells which it was. 0 or errno:
  // it was not begun, and no other may be begun after it.
  int Begin(int fd, std::span<const std::byte> bytes, uint64_t offset, size_t token);
  // Waits until one is over, whichever it is; there must be one. 0 or errno.
  int Wait(Completion* completion);
  // The same without waiting; false: none is over.
  bool Poll(Completion* completion);

 private:
  void Take(io_uring_cqe* cqe, Completion* completion);

  io_uring ring_ = {};
  bool open_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_WRITE_RING_H_
