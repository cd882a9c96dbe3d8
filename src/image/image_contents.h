// All of an image but its pages, read and checked.
#ifndef STILLFRAME_IMAGE_IMAGE_CONTENTS_H_
#define STILLFRAME_IMAGE_IMAGE_CONTENTS_H_

#include "image/image_file.h"
#include "image/image_index.h"
#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"

namespace stillframe {

struct ImageContents {
  WireHeader header = {};
  ImageMetadata metadata;
  ImageIndex index;
};

// Checks every byte of the file but the blocks themselves: header, trailer, table, sections, index,
// and that the index tells of every saved page exactly once. Errors: kDamaged with what is wrong;
// as ImageFile::ReadAt.
Result<ImageContents> LoadImageContents(const ImageFile& file);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_CONTENTS_H_
