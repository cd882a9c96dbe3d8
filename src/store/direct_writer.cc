#include "store/direct_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>

#include "base/fail_point.h"
#include "store/direct_alignment.h"

namespace stillframe {
namespace {

constexpr size_t kHugePage = MiB(2).count;

// What a direct write is refused with, rather than what went wrong with the disk. Interrupted and
// cancelled it may be when the thread that began it has ended.
bool IsRefusal(int error) {
  return error == EINVAL || error == EOPNOTSUPP || error == EAGAIN || error == EINTR ||
         error == ECANCELED;
}

// What is written must be writable so from any of our buffers, at any multiple of their size.
bool Fits(const DirectAlignment& alignment, uint64_t offset) {
  return alignment.known() && alignment.memory <= kPageSize.count &&
         DirectWriter::kBuffer.count % alignment.offset == 0 && offset % alignment.offset == 0;
}

}  // namespace

DirectWriter::~DirectWriter() { Drain(); }

bool DirectWriter::Start(uint64_t offset) {
  if (!Fits(FindDirectAlignment(fd_), offset) || ring_.Open(kBuffers) != 0) return false;
  offset_ = ahead_ = offset;
  if (!MapBuffers() || !TakeRoom() || !SetDirect(true)) {
    ring_.Close();
    UnmapBuffers();
    return false;
  }
  for (size_t i = 0; i < kBuffers; ++i) free_[i] = kBuffers - 1 - i;
  free_count_ = kBuffers;
  started_ = usable_ = true;
  return true;
}

bool DirectWriter::MapBuffers() {
  try {
    memory_ = MappedMemory(Bytes{kBuffers * kBuffer.count + kHugePage});
  } catch (const std::bad_alloc&) {
    return false;
  }
  void* begin = memory_.data();
  size_t space = memory_.size().count;
  buffers_ = static_cast<std::byte*>(std::align(kHugePage, kBuffers * kBuffer.count, begin, space));
  // A quarter of the CPU time less: two page faults rather than a thousand, and a write is handed
  // to the device in one piece. Whether there are huge pages is the kernel's affair.
  madvise(buffers_, kBuffers * kBuffer.count, MADV_HUGEPAGE);
  return true;
}

void DirectWriter::UnmapBuffers() {
  memory_ = {};
  buffers_ = nullptr;
}

size_t DirectWriter::Take(std::span<const iovec> parts) {
  if (!filling_ && !FindBuffer()) return 0;
  size_t taken = 0;
  for (const iovec& part : parts) {
    const size_t n = std::min(part.iov_len, kBuffer.count - filled_);
    std::memcpy(Buffer(current_).data() + filled_, part.iov_base, n);
    filled_ += n;
    taken += n;
    if (filled_ == kBuffer.count) {
      BeginWrite();
      break;
    }
  }
  return taken;
}

bool DirectWriter::FindBuffer() {
  for (WriteRing::Completion over; on_their_way_ > 0 && ring_.Poll(&over);) OnOver(over);
  while (usable_ && free_count_ == 0) WaitForOne();
  if (usable_ && offset_ + kBuffer.count > ahead_) usable_ = TakeRoom();
  if (!usable_) return false;
  current_ = free_[--free_count_];
  filling_ = true;
  filled_ = 0;
  return true;
}

bool DirectWriter::TakeRoom() {
  // Even one that fails may have taken some.
  lengthened_ = true;
  int result = 0;
  do {
    result = fallocate(fd_, 0, static_cast<off_t>(ahead_), static_cast<off_t>(kAhead.count));
  } while (result != 0 && errno == EINTR);
  if (result != 0) return false;
  ahead_ += kAhead.count;
  return true;
}

void DirectWriter::BeginWrite() {
  pieces_[current_] = {.offset = offset_, .written = 0, .left = false};
  offset_ += kBuffer.count;
  filling_ = false;
  filled_ = 0;
  if (ring_.Begin(fd_, Buffer(current_), pieces_[current_].offset, current_) == 0) {
    ++on_their_way_;
    return;
  }
  pieces_[current_].left = true;
  usable_ = false;
}

void DirectWriter::OnOver(const WriteRing::Completion& completion) {
  --on_their_way_;
  if (completion.result == static_cast<int>(kBuffer.count)) {
    FailPoint("store.append");
    free_[free_count_++] = completion.token;
    return;
  }
  usable_ = false;
  if (completion.result < 0 && !IsRefusal(-completion.result)) {
    if (error_ == 0) error_ = -completion.result;
    return;
  }
  // Why it was short the page cache's way will say, if there is anything to say.
  Piece& piece = pieces_[completion.token];
  piece.written = static_cast<size_t>(std::max(completion.result, 0));
  piece.left = true;
}

void DirectWriter::WaitForOne() {
  WriteRing::Completion over;
  const int failed = ring_.Wait(&over);
  if (failed == 0) return OnOver(over);
  // Nobody will ever know what became of them. The kernel holds their pages for as long as it
  // needs them, whatever becomes of our mapping.
  usable_ = false;
  on_their_way_ = 0;
  if (error_ == 0) error_ = failed;
}

void DirectWriter::Drain() {
  while (on_their_way_ > 0) WaitForOne();
}

bool DirectWriter::SetDirect(bool direct) {
  const int flags = fcntl(fd_, F_GETFL);
  if (flags < 0) return false;
  return fcntl(fd_, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

int DirectWriter::End() {
  usable_ = false;
  Drain();
  if (error_ == 0) error_ = WriteRest();
  if (error_ != 0) return error_;
  started_ = false;
  ring_.Close();
  UnmapBuffers();
  return 0;
}

int DirectWriter::WriteRest() {
  if (!SetDirect(false)) return errno;
  for (size_t i = 0; i < kBuffers; ++i) {
    Piece& piece = pieces_[i];
    if (!piece.left) continue;
    const int error = WritePlainly(Buffer(i).subspan(piece.written), piece.offset + piece.written);
    if (error != 0) return error;
    piece.left = false;
  }
  if (filling_) {
    if (const int error = WritePlainly(Buffer(current_).first(filled_), offset_)) return error;
    offset_ += filled_;
    filling_ = false;
    filled_ = 0;
  }
  return lseek(fd_, static_cast<off_t>(offset_), SEEK_SET) < 0 ? errno : 0;
}

int DirectWriter::WritePlainly(std::span<const std::byte> bytes, uint64_t offset) const {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    // Nothing of something is no answer that could be repeated for ever.
    if (n <= 0) return n < 0 ? errno : EIO;
    FailPoint("store.append");
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return 0;
}

}  // namespace stillframe
