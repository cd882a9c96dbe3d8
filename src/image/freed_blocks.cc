#include "image/freed_blocks.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "image/checksum.h"
#include "image/image_file.h"

namespace stillframe {
namespace {

constexpr size_t kPage = kPageSize.count;

// Reads the entries of the file, and keeps them in `to` unless that is null.
Result<uint64_t> ReadEntries(const ImageFile& file, const WireFreedHeader& header,
                             std::vector<WireFreed>* to) {
  constexpr uint64_t kPieceEntries = 4096;
  RunningChecksum checksum;
  const auto bytes = std::as_bytes(std::span(&header, 1));
  checksum.Add(bytes.first(offsetof(WireFreedHeader, checksum)));
  std::vector<WireFreed> piece(static_cast<size_t>(std::min(header.count, kPieceEntries)));
  for (uint64_t at = 0; at < header.count; at += piece.size()) {
    piece.resize(static_cast<size_t>(std::min(header.count - at, kPieceEntries)));
    STILLFRAME_TRY(file.ReadAt(sizeof(header) + at * sizeof(WireFreed),
                               std::as_writable_bytes(std::span(piece))));
    checksum.Add(std::as_bytes(std::span(piece)));
    if (to != nullptr) to->insert(to->end(), piece.begin(), piece.end());
  }
  return checksum.value();
}

// What is wrong with the list, or nothing.
std::optional<std::string> Check(std::span<const WireFreed> freed, const ImageContents& contents) {
  const std::vector<const WireIndexEntry*> blocks = contents.index.Blocks();
  auto block = blocks.begin();
  for (size_t i = 0; i < freed.size(); ++i) {
    const std::string name = "freed block " + std::to_string(i);
    if (i > 0 && freed[i].file_offset <= freed[i - 1].file_offset) return name + " is out of order";
    while (block != blocks.end() && (*block)->file_offset < freed[i].file_offset) ++block;
    if (block == blocks.end() || (*block)->file_offset != freed[i].file_offset ||
        ImageIndex::IsSuperseded(**block)) {
      return name + " is no block of the image";
    }
    const uint64_t all = PageBits(0, (*block)->block_pages);
    const bool whole = EncodingOf(**block) != WireEncoding::kRaw;
    if (freed[i].freed == 0 || (freed[i].freed & ~all) != 0 || (whole && freed[i].freed != all)) {
      return name + " tells of pages that can't be freed";
    }
  }
  return std::nullopt;
}

}  // namespace

Result<FreedBlocks> FreedBlocks::Load(const std::string& image_path,
                                      const ImageContents& contents) {
  FreedBlocks loaded;
  // Beside the image itself, whatever link led to it. What has no name of its own has none.
  std::error_code unnamed;
  const std::filesystem::path real = std::filesystem::canonical(image_path, unnamed);
  const std::string beside = unnamed ? image_path : real.string();
  const auto file = ImageFile::Open(beside + std::string(kFreedSuffix));
  if (!file) {
    const int why = file.error().system_errno;
    if (why == ENOENT || why == ENOTDIR || why == ENAMETOOLONG) return loaded;
    return tl::unexpected(file.error());
  }
  const auto damaged = [&file](const std::string& what) {
    return file->Damaged(what, "without that file it is not known what of the image was freed");
  };
  WireFreedHeader header{};
  if (file->size() < sizeof(header)) return damaged("it is cut off");
  STILLFRAME_TRY(file->ReadAt(0, std::as_writable_bytes(std::span(&header, 1))));
  if (header.magic != kFreedMagic) return damaged("it is no list of what was freed of an image");
  if (header.version != kFreedVersion) return damaged("it is of a version that is not known");
  const WireImageName name = contents.name();
  const bool ours = header.id == name.id && header.index_checksum == name.index_checksum;
  // No more than the image has pages, so that a count makes no memory grow.
  const uint64_t bytes = file->size() - sizeof(header);
  if (bytes % sizeof(WireFreed) != 0 || bytes / sizeof(WireFreed) != header.count ||
      (ours && header.count > contents.index.data_pages().count)) {
    return damaged("its length is wrong");
  }
  STILLFRAME_ASSIGN(const uint64_t checksum,
                    ReadEntries(*file, header, ours ? &loaded.blocks_ : nullptr));
  if (checksum != header.checksum || header.complete > 1) {
    return damaged("its checksum is wrong");
  }
  if (!ours) return loaded;
  if (const auto wrong = Check(loaded.blocks_, contents)) return damaged(*wrong);
  loaded.complete_ = header.complete == 1;
  return loaded;
}

const WireFreed* FreedBlocks::Find(uint64_t file_offset) const {
  const auto found = std::ranges::lower_bound(blocks_, file_offset, {}, &WireFreed::file_offset);
  return found != blocks_.end() && found->file_offset == file_offset ? &*found : nullptr;
}

void ClearFreed(const WireFreed& freed, const WireIndexEntry& block, std::span<std::byte> stored) {
  if (EncodingOf(block) != WireEncoding::kRaw) {
    std::memset(stored.data(), 0, stored.size());
    return;
  }
  for (uint64_t page = 0; page < block.block_pages; ++page) {
    if ((freed.freed >> page & 1) == 0) continue;
    std::memset(stored.data() + page * kPage, 0, kPage);
  }
}

}  // namespace stillframe
