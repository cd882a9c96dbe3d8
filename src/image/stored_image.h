// One file of a chain, opened and checked but for its blocks.
#ifndef STILLFRAME_IMAGE_STORED_IMAGE_H_
#define STILLFRAME_IMAGE_STORED_IMAGE_H_

#include <memory>
#include <string>

#include "image/freed_blocks.h"
#include "image/image_contents.h"
#include "image/image_file.h"
#include "image/page_hashes.h"
#include "stillframe/error.h"
#include "stillframe/image_reader.h"

namespace stillframe {

// Stays where it is: its parts name one another.
//
// Thread rule: const members from any thread.
class StoredImage {
 public:
  // Errors: as ImageFile::Open, LoadImageContents and FreedBlocks::Load.
  static Result<std::unique_ptr<StoredImage>> Open(const std::string& path,
                                                   ImageFile::Access access);

  StoredImage(const StoredImage&) = delete;
  StoredImage& operator=(const StoredImage&) = delete;

  const ImageFile& file() const { return file_; }
  const ImageContents& contents() const { return contents_; }
  const ImageIndex& index() const { return contents_.index; }
  const FreedBlocks& freed() const { return freed_; }
  const PageHashes& hashes() const { return hashes_; }
  ChainFile Describe() const;
  // Its metadata is not needed any more: of a parent only pages are.
  void DropMetadata() { contents_.metadata = {}; }

 private:
  StoredImage(ImageFile file, ImageContents contents, FreedBlocks freed)
      : file_(std::move(file)), contents_(std::move(contents)), freed_(std::move(freed)) {}

  ImageFile file_;
  ImageContents contents_;
  FreedBlocks freed_;
  PageHashes hashes_{file_, contents_};
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_STORED_IMAGE_H_
