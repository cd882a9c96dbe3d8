#include "track/page_copy.h"

#include <algorithm>

#include "sys/mapped_file.h"

namespace stillframe {

namespace {

// Takes the mark from each entry whose page the file has no data for.
void DropPunched(const Region& region, uint64_t offset, std::span<PagemapEntry> entries) {
  if (FileHasData(region.file, offset, kPageSize * entries.size())) return;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!FileHasData(region.file, offset + i * kPageSize.count, kPageSize)) entries[i] = {};
  }
}

}  // namespace

Pages CopyPages(const Target& target, const Region& region, PageIndex first, TargetAddress from,
                std::span<const iovec> to, std::span<PagemapEntry> entries) {
  const uint64_t offset = region.file_offset + ToBytes(first - region.first).count;
  const ReadOutcome read =
      region.shared() ? ReadMappedFile(region.file, offset, to) : target.Read(from, to);
  const size_t known = ReadPagemap(target.pagemap(), from, entries);
  // Nothing is known of a page behind the end of the address space, so nothing is proven.
  std::fill(entries.begin() + static_cast<std::ptrdiff_t>(known), entries.end(), PagemapEntry{});
  if (region.shared()) DropPunched(region, offset, entries);
  return ToPages(read.copied);
}

}  // namespace stillframe
