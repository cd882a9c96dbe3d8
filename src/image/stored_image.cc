#include "image/stored_image.h"

#include <bit>
#include <utility>

namespace stillframe {

Result<std::unique_ptr<StoredImage>> StoredImage::Open(const std::string& path,
                                                       ImageFile::Access access) {
  STILLFRAME_ASSIGN(ImageFile file, ImageFile::Open(path, access));
  STILLFRAME_ASSIGN(ImageContents contents, LoadImageContents(file));
  STILLFRAME_ASSIGN(FreedBlocks freed, FreedBlocks::Load(path, contents));
  return std::unique_ptr<StoredImage>(
      new StoredImage(std::move(file), std::move(contents), std::move(freed)));
}

ChainFile StoredImage::Describe() const {
  ChainFile described{.path = file_.path(),
                      .id = contents_.header.id,
                      .index_checksum = contents_.index_checksum,
                      .format_version = contents_.header.version,
                      .size = {file_.size()},
                      .stored = {contents_.data_end - kHeaderSize},
                      .pages = index().data_pages(),
                      .in_parent = index().parent_pages(),
                      .freed = {},
                      .has_hashes = hashes_.kept(),
                      .stands_for = {}};
  for (const WireImageName& name : contents_.stands_for) {
    described.stands_for.push_back({.id = name.id, .index_checksum = name.index_checksum});
  }
  if (freed_.empty()) return described;
  for (const WireIndexEntry& entry : index().entries()) {
    if (!IsData(entry)) continue;
    const uint64_t pages = freed_.PagesOf(entry) & PageBits(entry.first_page, entry.pages);
    described.freed += Pages{static_cast<uint64_t>(std::popcount(pages))};
  }
  return described;
}

}  // namespace stillframe
