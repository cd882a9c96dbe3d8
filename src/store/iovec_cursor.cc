#include "store/iovec_cursor.h"

#include <algorithm>

namespace stillframe {

std::span<iovec> IovecCursor::Next(size_t limit) {
  size_t count = 0;
  size_t skip = offset_;
  for (const iovec& part : parts_) {
    if (count == window_.size() || limit == 0) break;
    const size_t length = std::min(part.iov_len - skip, limit);
    if (length > 0) {
      window_[count++] = {.iov_base = static_cast<std::byte*>(part.iov_base) + skip,
                          .iov_len = length};
    }
    limit -= length;
    skip = 0;
  }
  return {window_.data(), count};
}

void IovecCursor::Consume(size_t bytes) {
  offset_ += bytes;
  SkipEmpty();
}

void IovecCursor::SkipEmpty() {
  while (!parts_.empty() && offset_ >= parts_.front().iov_len) {
    offset_ -= parts_.front().iov_len;
    parts_ = parts_.subspan(1);
  }
}

}  // namespace stillframe
