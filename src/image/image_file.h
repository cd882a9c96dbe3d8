// The bytes of an image file, and errors that name it.
#ifndef STILLFRAME_IMAGE_IMAGE_FILE_H_
#define STILLFRAME_IMAGE_IMAGE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "stillframe/error.h"

namespace stillframe {

// Read with pread, never mapped: a file that is cut off while it is mapped kills its reader.
//
// Thread rule: const members from any thread.
class ImageFile {
 public:
  // Errors: kUsage (no such file, not a regular one), kPermission.
  static Result<ImageFile> Open(const std::string& path);

  uint64_t size() const { return size_; }

  // Fills `to` with the bytes from `offset` on. Errors: kDamaged when the file ends before,
  // kInternal when it can't be read.
  Result<void> ReadAt(uint64_t offset, std::span<std::byte> to) const;
  // The checksum of `length` bytes, read in pieces. Errors: as ReadAt.
  Result<uint64_t> ChecksumOf(uint64_t offset, uint64_t length) const;
  // False where not all bytes of the range are zero. Errors: as ReadAt.
  Result<bool> IsZero(uint64_t offset, uint64_t length) const;
  // These bytes will be read soon: an image that was just written is not in the page cache.
  void Prefetch(uint64_t offset, uint64_t length) const;

  // A kDamaged that names the file.
  tl::unexpected<Error> Damaged(const std::string& what, std::string hint = {}) const;

 private:
  ImageFile(std::string path, UniqueFd fd, uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  // Calls `take` with each piece.
  template <class Take>
  Result<void> ForEachPiece(uint64_t offset, uint64_t length, Take take) const;

  std::string path_;
  UniqueFd fd_;
  uint64_t size_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_FILE_H_
