// A block of an image: read, checked, and made pages again.
#ifndef STILLFRAME_IMAGE_BLOCK_READER_H_
#define STILLFRAME_IMAGE_BLOCK_READER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "image/stored_image.h"
#include "image/wire.h"
#include "stillframe/error.h"

namespace stillframe {

// Of a block, as all its pages are; at most kMaxBlockPages pages.
inline size_t RawBytes(const WireIndexEntry& entry) {
  return static_cast<size_t>(entry.block_pages * kPageSize.count);
}

// Each is about the block of `entry`, one of data of the image's index, and from any thread.

// Checks what was read from the file. What of the block was freed is made zero first.
// Errors: kDamaged, which names the pages.
Result<void> CheckStored(const StoredImage& image, const WireIndexEntry& entry,
                         std::span<std::byte> stored);
// Makes pages of what was checked; `pages` has RawBytes, of which the first `wanted` are: see
// DecodeBlockUpTo. Errors: kDamaged.
Result<void> DecodeStored(const StoredImage& image, const WireIndexEntry& entry,
                          std::span<const std::byte> stored, std::span<std::byte> pages,
                          size_t wanted = SIZE_MAX);
// Reads, checks and decodes. `pages` has RawBytes; those of them that were freed are undefined.
// Errors: kDamaged; as ImageFile::ReadAt.
Result<void> ReadBlock(const StoredImage& image, const WireIndexEntry& entry,
                       std::span<std::byte> pages);

// A kDamaged about the block.
tl::unexpected<Error> DamagedBlock(const StoredImage& image, const WireIndexEntry& entry,
                                   std::string_view what);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_READER_H_
