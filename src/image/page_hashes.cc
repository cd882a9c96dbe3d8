#include "image/page_hashes.h"

#include "image/checksum.h"

namespace stillframe {

std::optional<PageHash> PageHashes::Of(const WireIndexEntry& entry, uint64_t page) const {
  if (!kept()) return std::nullopt;
  std::call_once(once_, [this] { Load(); });
  if (hashes_.empty()) return std::nullopt;
  const auto place = static_cast<size_t>(&entry - contents_.index.entries().data());
  const WirePageHash& hash = hashes_[static_cast<size_t>(first_[place] + page)];
  return PageHash{.low = hash.low, .high = hash.high};
}

void PageHashes::Load() const {
  // Its length was held against the index, and its checksum was right, when the image was opened.
  std::vector<WirePageHash> hashes(
      static_cast<size_t>(contents_.hashes->length / sizeof(WirePageHash)));
  const auto bytes = std::as_writable_bytes(std::span(hashes));
  if (!file_.ReadAt(contents_.hashes->offset, bytes) ||
      Checksum(bytes) != contents_.hashes->checksum) {
    return;
  }
  uint64_t pages = 0;
  first_.reserve(contents_.index.entries().size());
  for (const WireIndexEntry& entry : contents_.index.entries()) {
    first_.push_back(pages);
    if (IsData(entry)) pages += entry.pages;
  }
  hashes_ = std::move(hashes);
}

}  // namespace stillframe
