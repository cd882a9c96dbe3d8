#include "image/block_reader.h"

#include <string>

#include "image/block_codec.h"
#include "image/checksum.h"
#include "image/coverage.h"

namespace stillframe {

tl::unexpected<Error> DamagedBlock(const StoredImage& image, const WireIndexEntry& entry,
                                   std::string_view what) {
  const std::string where = "(offset " + std::to_string(entry.file_offset) + ")";
  if (ImageIndex::IsSuperseded(entry)) {
    return image.file().Damaged("the checksum of a superseded block is wrong " + where);
  }
  auto failure = image.file().Damaged(std::string(what) + " the " + std::to_string(entry.pages) +
                                      " pages at " + Hex(entry.address) + " is wrong " + where);
  failure.value().address = TargetAddress{entry.address};
  return failure;
}

Result<void> CheckStored(const StoredImage& image, const WireIndexEntry& entry,
                         std::span<std::byte> stored) {
  const WireFreed* freed = image.freed().Find(entry.file_offset);
  if (freed != nullptr) ClearFreed(*freed, entry, stored);
  if (Checksum(stored) == (freed == nullptr ? entry.checksum : freed->checksum)) return {};
  return DamagedBlock(image, entry, "the checksum of");
}

Result<void> DecodeStored(const StoredImage& image, const WireIndexEntry& entry,
                          std::span<const std::byte> stored, std::span<std::byte> pages,
                          size_t wanted) {
  if (DecodeBlockUpTo(wanted, EncodingOf(entry), stored, pages)) return {};
  return DamagedBlock(image, entry, "the encoding of");
}

Result<void> ReadBlock(const StoredImage& image, const WireIndexEntry& entry,
                       std::span<std::byte> pages) {
  if (EncodingOf(entry) == WireEncoding::kRaw) {
    STILLFRAME_TRY(image.file().ReadAt(entry.file_offset, pages));
    return CheckStored(image, entry, pages);
  }
  ByteVector stored(static_cast<size_t>(entry.stored_bytes));
  STILLFRAME_TRY(image.file().ReadAt(entry.file_offset, stored));
  STILLFRAME_TRY(CheckStored(image, entry, stored));
  return DecodeStored(image, entry, stored, pages);
}

}  // namespace stillframe
