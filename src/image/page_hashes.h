// The hashes that an image keeps of its pages, read from the file when the first one is wanted.
#ifndef STILLFRAME_IMAGE_PAGE_HASHES_H_
#define STILLFRAME_IMAGE_PAGE_HASHES_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "image/image_contents.h"
#include "image/image_file.h"
#include "stillframe/image_reader.h"

namespace stillframe {

// 16 bytes for each page of data and 8 for each entry of the index, once loaded.
//
// Thread rule: any thread.
class PageHashes {
 public:
  // Both outlive it.
  PageHashes(const ImageFile& file, const ImageContents& contents)
      : file_(file), contents_(contents) {}

  bool kept() const { return contents_.hashes.has_value(); }
  // Of page `page` of `entry`, which is one of data of the image's index. Nothing where the image
  // keeps none, or they can't be read.
  std::optional<PageHash> Of(const WireIndexEntry& entry, uint64_t page) const;

 private:
  void Load() const;

  const ImageFile& file_;
  const ImageContents& contents_;
  mutable std::once_flag once_;
  mutable std::vector<WirePageHash> hashes_;
  mutable std::vector<uint64_t> first_;  // of each entry, by its place in the index
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_PAGE_HASHES_H_
