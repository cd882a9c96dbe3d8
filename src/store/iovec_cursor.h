// Walks a list of buffers in steps that a single writev can take.
#ifndef STILLFRAME_STORE_IOVEC_CURSOR_H_
#define STILLFRAME_STORE_IOVEC_CURSOR_H_

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>

namespace stillframe {

// The buffers are not owned and not copied. No allocation.
class IovecCursor {
 public:
  explicit IovecCursor(std::span<const iovec> parts) : parts_(parts) { SkipEmpty(); }

  bool done() const { return parts_.empty(); }
  // What comes next: at least one byte unless done, at most `limit` bytes. Valid until the next
  // call of anything here.
  std::span<iovec> Next(size_t limit);
  // `bytes` of what Next returned are written.
  void Consume(size_t bytes);

 private:
  static constexpr size_t kEntries = 64;

  void SkipEmpty();

  std::span<const iovec> parts_;
  size_t offset_ = 0;  // into the first part
  std::array<iovec, kEntries> window_;
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_IOVEC_CURSOR_H_
