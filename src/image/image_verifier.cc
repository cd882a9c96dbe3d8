#include "image/image_verifier.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "image/block_reader.h"
#include "image/coverage.h"
#include "image/page_hash.h"

namespace stillframe {
namespace {

constexpr size_t kPage = kPageSize.count;
constexpr uint64_t kWindow = MiB(1).count;
static_assert(kWindow >= kMaxBlockPages * kPage);

using Entries = std::span<const WireIndexEntry* const>;

// The entries at the front that name one block.
Entries FirstBlock(Entries entries) {
  const auto end = std::ranges::find_if(entries, [&](const WireIndexEntry* entry) {
    return entry->file_offset != entries.front()->file_offset;
  });
  return {entries.begin(), end};
}

class Verifier {
 public:
  explicit Verifier(const StoredImage& image) : image_(image) {}

  Result<void> Run() {
    STILLFRAME_ASSIGN(const ImageContents now, LoadImageContents(image_.file()));
    if (now.header.id != image_.contents().header.id ||
        now.index_checksum != image_.contents().index_checksum) {
      return image_.file().Damaged("it became another image since it was opened");
    }
    const std::vector<const WireIndexEntry*> blocks = image_.index().Blocks();
    Entries left(blocks);
    ByteVector buffer(static_cast<size_t>(std::min(kWindow, image_.file().size())));
    while (!left.empty()) {
      // The blocks lie side by side: as many as there is room for are read at once, and the disk
      // gets the next ones.
      const uint64_t window_end = left.front()->file_offset + kWindow;
      const auto fits = std::ranges::partition_point(left, [=](const auto* entry) {
        return entry->file_offset + entry->stored_bytes <= window_end;
      });
      const auto count = static_cast<size_t>(fits - left.begin());
      image_.file().Prefetch(window_end, kWindow);
      STILLFRAME_TRY(CheckWindow(left.first(count), buffer));
      left = left.subspan(count);
    }
    return {};
  }

 private:
  // Blocks that lie side by side and fit into `buffer` together.
  Result<void> CheckWindow(Entries window, std::span<std::byte> buffer) {
    const uint64_t begin = window.front()->file_offset;
    const uint64_t end = window.back()->file_offset + window.back()->stored_bytes;
    STILLFRAME_TRY(image_.file().ReadAt(begin, buffer.first(static_cast<size_t>(end - begin))));
    while (!window.empty()) {
      const Entries block = FirstBlock(window);
      const auto stored = buffer.subspan(static_cast<size_t>(block.front()->file_offset - begin),
                                         static_cast<size_t>(block.front()->stored_bytes));
      STILLFRAME_TRY(CheckBlock(block, stored));
      window = window.subspan(block.size());
    }
    return {};
  }

  Result<void> CheckBlock(Entries entries, std::span<std::byte> stored) {
    const WireIndexEntry& block = *entries.front();
    const uint64_t freed = image_.freed().PagesOf(block);
    if (freed != 0 && image_.freed().complete()) STILLFRAME_TRY(CheckZero(block, freed, stored));
    STILLFRAME_TRY(CheckStored(image_, block, stored));
    const bool raw = EncodingOf(block) == WireEncoding::kRaw;
    if (ImageIndex::IsSuperseded(block) || (freed != 0 && !raw)) return {};
    std::span<const std::byte> pages = stored;
    if (!raw) {
      decoded_.resize(RawBytes(block));
      STILLFRAME_TRY(DecodeStored(image_, block, stored, decoded_));
      pages = decoded_;
    }
    for (const WireIndexEntry* entry : entries) STILLFRAME_TRY(CheckHashes(*entry, freed, pages));
    return {};
  }

  Result<void> CheckZero(const WireIndexEntry& block, uint64_t freed,
                         std::span<const std::byte> stored) const {
    const auto is_zero = [](std::span<const std::byte> bytes) {
      return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
    };
    bool zero = true;
    if (EncodingOf(block) != WireEncoding::kRaw) zero = is_zero(stored);
    for (size_t page = 0; EncodingOf(block) == WireEncoding::kRaw && page < block.block_pages;
         ++page) {
      if ((freed >> page & 1) != 0) zero = zero && is_zero(stored.subspan(page * kPage, kPage));
    }
    if (zero) return {};
    return image_.file().Damaged("what was freed of its block at offset " +
                                 std::to_string(block.file_offset) + " is not zero");
  }

  Result<void> CheckHashes(const WireIndexEntry& entry, uint64_t freed,
                           std::span<const std::byte> pages) const {
    for (size_t i = 0; image_.hashes().kept() && i < entry.pages; ++i) {
      const size_t place = entry.first_page + i;
      if ((freed >> place & 1) != 0) continue;
      if (image_.hashes().Of(entry, i) == HashPage(pages.subspan(place * kPage, kPage))) continue;
      const TargetAddress at = TargetAddress{entry.address} + Bytes{i * kPage};
      auto failure =
          image_.file().Damaged("the hash of the page at " + Hex(at.value) + " is wrong");
      failure.value().address = at;
      return failure;
    }
    return {};
  }

  const StoredImage& image_;
  ByteVector decoded_;
};

}  // namespace

Result<void> VerifyImage(const StoredImage& image) { return Verifier(image).Run(); }

}  // namespace stillframe
