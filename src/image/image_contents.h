// All of an image but its pages, read and checked.
#ifndef STILLFRAME_IMAGE_IMAGE_CONTENTS_H_
#define STILLFRAME_IMAGE_IMAGE_CONTENTS_H_

#include <optional>
#include <vector>

#include "image/image_file.h"
#include "image/image_index.h"
#include "image/metadata_decoder.h"
#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"

namespace stillframe {

struct ImageContents {
  // By what another image knows this one.
  WireImageName name() const { return {.id = header.id, .index_checksum = index_checksum}; }
  // The image that `name` is of, or one that may be used in its place.
  bool Is(const WireImageName& wanted) const;

  WireHeader header = {};
  ImageMetadata metadata;
  ImageIndex index;
  uint64_t index_checksum = 0;
  uint64_t data_end = 0;  // where the blocks end
  std::optional<ParentReference> parent;
  std::vector<WireImageName> stands_for;
  std::optional<WireSection> hashes;  // one for each page of the data entries of the index
};

// Checks every byte of the file but the blocks themselves: header, trailer, table, sections, index,
// and that the index tells of every saved page exactly once. Errors: kDamaged with what is wrong;
// as ImageFile::ReadAt.
Result<ImageContents> LoadImageContents(const ImageFile& file);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_CONTENTS_H_
