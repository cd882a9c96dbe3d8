// The bytes of an image file, and errors that name it.
#ifndef STILLFRAME_IMAGE_IMAGE_FILE_H_
#define STILLFRAME_IMAGE_IMAGE_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// Read with pread, never mapped: a file that is cut off while it is mapped kills its reader. Locked
// as long as it is open (flock), so that nobody takes blocks from it meanwhile.
//
// Thread rule: const members from any thread.
class ImageFile {
 public:
  enum class Access {
    kShared,     // reading, with any number of others who read
    kExclusive,  // reading, and Punch; nobody else has it open
  };
  // Errors: kUsage (no such file, not a regular one, in use by others as Access excludes),
  // kPermission, kUnsupported (kExclusive: the file system can't punch holes).
  static Result<ImageFile> Open(const std::string& path, Access access = Access::kShared);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // Whether both are the same file, whatever their paths.
  bool IsSameAs(const ImageFile& other) const {
    return device_ == other.device_ && inode_ == other.inode_;
  }

  // Fills `to` with the bytes from `offset` on. Errors: kDamaged when the file ends before,
  // kInternal when it can't be read.
  Result<void> ReadAt(uint64_t offset, std::span<std::byte> to) const;
  // Of that what stands in the page cache, up to the first byte that does not. Returns its length.
  size_t ReadCached(uint64_t offset, std::span<std::byte> to) const;
  // The checksum of `length` bytes, read in pieces. Errors: as ReadAt.
  Result<uint64_t> ChecksumOf(uint64_t offset, uint64_t length) const;
  // False where not all bytes of the range are zero. Errors: as ReadAt.
  Result<bool> IsZero(uint64_t offset, uint64_t length) const;
  // These bytes will be read soon: an image that was just written is not in the page cache.
  void Prefetch(uint64_t offset, uint64_t length) const;
  // Gives the bytes back to the file system: they are zeros then. Both multiples of 4096. Best
  // effort: where it fails they stay.
  void Punch(uint64_t offset, uint64_t length) const;

  // Of a file opened kExclusive. The bytes are zeros then, and what of the disk they alone took is
  // given back. Errors: kOutput, kUnsupported.
  Result<void> Free(uint64_t offset, uint64_t length) const;
  // Makes that durable. Errors: kOutput.
  Result<void> Sync() const;
  // What it takes on the disk, as the file system tells.
  Result<Bytes> OnDisk() const;

  // A kDamaged that names the file.
  tl::unexpected<Error> Damaged(const std::string& what, std::string hint = {}) const;

 private:
  ImageFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<void> Lock(Access access) const;
  // Calls `take` with each piece.
  template <class Take>
  Result<void> ForEachPiece(uint64_t offset, uint64_t length, Take take) const;

  std::string path_;
  UniqueFd fd_;
  uint64_t size_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_FILE_H_
