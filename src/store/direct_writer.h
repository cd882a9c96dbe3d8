// The part of a file that is written past the page cache, several writes at a time.
#ifndef STILLFRAME_STORE_DIRECT_WRITER_H_
#define STILLFRAME_STORE_DIRECT_WRITER_H_

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/mapped_memory.h"
#include "stillframe/units.h"
#include "store/write_ring.h"

namespace stillframe {

// Bytes are gathered into buffers of 1 MiB, each of which is written with O_DIRECT through io_uring
// when it is full. The device reads them from there, so nothing is copied into the page cache, and
// no pages of it have to be found, written back and dropped.
//
// Room is taken ahead (fallocate), 64 MiB at a time: a write that makes the file longer has to wait
// for the one before it, one into room that is there already does not. So the file is longer than
// what is in it until its user cuts it off. Where no room can be had (the disk is nearly full, a
// quota, a limit), and for whatever direct writes are refused with, Take says 0: the page cache's
// way then writes the rest, or says what is wrong.
//
// Its buffers are mapped memory and only there from Start to End; no allocation of the heap.
// Thread rule: one thread at a time.
class DirectWriter {
 public:
  static constexpr Bytes kBuffer = MiB(1);
  static constexpr size_t kBuffers = 4;
  static constexpr Bytes kAhead = MiB(64);

  // `fd`: a regular file, open for writing, not owned. The flags of its open file description
  // change in between: nobody else may use it.
  explicit DirectWriter(int fd) : fd_(fd) {}
  DirectWriter(const DirectWriter&) = delete;
  DirectWriter& operator=(const DirectWriter&) = delete;
  // Waits until nothing is on its way.
  ~DirectWriter();

  // What comes next is to stand at `offset`. False where there is no io_uring, no direct write, or
  // no room: nothing was written, and only lengthened() may have changed. Once.
  bool Start(uint64_t offset);
  bool started() const { return started_; }
  // The file may be longer than what is in it.
  bool lengthened() const { return lengthened_; }

  // Copies what fits from the begin of `parts`, at least a byte; may wait for a buffer. 0: no more
  // can be taken here, End says why. An error of a write may be told by a later call.
  size_t Take(std::span<const iovec> parts);

  // Waits for all that is on its way, writes what is left through the page cache, and leaves the
  // file as it was found: without O_DIRECT, its position behind the last byte taken. 0, or errno of
  // what did not get into the file: the file is then of no use, and each later call says the same.
  int End();

 private:
  // A buffer that is on its way, or came back with less than all of it written.
  struct Piece {
    uint64_t offset = 0;  // in the file
    size_t written = 0;
    bool left = false;  // the rest is to be written otherwise
  };

  bool FindBuffer();
  bool TakeRoom();
  void BeginWrite();
  void OnOver(const WriteRing::Completion& completion);
  // One of those on their way.
  void WaitForOne();
  void Drain();
  bool SetDirect(bool direct);
  int WriteRest();
  int WritePlainly(std::span<const std::byte> bytes, uint64_t offset) const;
  bool MapBuffers();
  void UnmapBuffers();
  std::span<std::byte> Buffer(size_t i) const {
    return {buffers_ + i * kBuffer.count, kBuffer.count};
  }

  const int fd_;
  bool started_ = false;
  bool usable_ = false;  // more can be taken
  bool lengthened_ = false;
  int error_ = 0;  // the first one
  WriteRing ring_;
  MappedMemory memory_;
  std::byte* buffers_ = nullptr;  // in memory_, one after the other
  std::array<Piece, kBuffers> pieces_;
  std::array<size_t, kBuffers> free_{};  // the one that came back last is taken first: it is cached
  size_t free_count_ = 0;
  size_t on_their_way_ = 0;
  bool filling_ = false;  // buffer current_ is being filled
  size_t current_ = 0;
  size_t filled_ = 0;    // bytes in it
  uint64_t offset_ = 0;  // in the file, of the buffer that is being filled, or of the next one
  uint64_t ahead_ = 0;   // up to here there is room
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_DIRECT_WRITER_H_
