#include "sys/pagemap.h"

#include <unistd.h>

#include <cerrno>

namespace stillframe {

size_t ReadPagemap(int pagemap_fd, TargetAddress address, std::span<PagemapEntry> entries) {
  const auto offset = static_cast<off_t>(ToPages(Bytes{address.value}).count * sizeof(uint64_t));
  for (;;) {
    const ssize_t n = pread(pagemap_fd, entries.data(), entries.size_bytes(), offset);
    if (n >= 0) return static_cast<size_t>(n) / sizeof(PagemapEntry);
    if (errno != EINTR) return 0;
  }
}

}  // namespace stillframe
