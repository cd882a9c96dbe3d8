#include "track/page_copy.h"

#include <algorithm>

namespace stillframe {

Pages CopyPages(const Target& target, TargetAddress from, std::span<const iovec> to,
                std::span<PagemapEntry> entries) {
  const ReadOutcome read = target.Read(from, to);
  const size_t known = ReadPagemap(target.pagemap(), from, entries);
  // Nothing is known of a page behind the end of the address space, so nothing is proven.
  std::fill(entries.begin() + static_cast<std::ptrdiff_t>(known), entries.end(), PagemapEntry{});
  return ToPages(read.copied);
}

}  // namespace stillframe
