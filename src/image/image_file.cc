#include "image/image_file.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "image/checksum.h"
#include "stillframe/process_state.h"
#include "stillframe/units.h"

namespace stillframe {
namespace {

constexpr uint64_t kPiece = KiB(256).count;
constexpr int kPunchHole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

}  // namespace

Result<ImageFile> ImageFile::Open(const std::string& path, Access access) {
  // Looked at first: an image may name anything as its parent, and to open a device does something.
  const UniqueFd place(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return FailErrno(errno, "opening the image " + path, {}, ErrorCode::kUsage);
  struct stat status;
  if (fstat(place.get(), &status) != 0) return FailErrno(errno, "looking at the image " + path);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kUsage, "opening the image " + path + ": it is not a regular file",
                "an image is read from its end: write what comes through a pipe to a file first");
  }
  const int mode = access == Access::kExclusive ? O_RDWR : O_RDONLY;
  const std::string same = "/proc/self/fd/" + std::to_string(place.get());
  UniqueFd fd(open(same.c_str(), mode | O_CLOEXEC));
  if (!fd) return FailErrno(errno, "opening the image " + path, {}, ErrorCode::kUsage);
  ImageFile file(path, std::move(fd));
  if (fstat(file.fd_.get(), &status) != 0) return FailErrno(errno, "looking at the image " + path);
  file.size_ = static_cast<uint64_t>(status.st_size);
  file.device_ = status.st_dev;
  file.inode_ = status.st_ino;
  STILLFRAME_TRY(file.Lock(access));
  return file;
}

Result<void> ImageFile::Lock(Access access) const {
  const bool exclusive = access == Access::kExclusive;
  if (flock(fd_.get(), (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Fail(ErrorCode::kUsage,
                  "opening the image " + path_ + ": another program " +
                      (exclusive ? "reads it" : "frees blocks of it") + " just now",
                  "wait until that is done");
    }
    // A file system without locks: nobody could be kept from it, and reading does no harm.
    if (exclusive) return FailErrno(errno, "locking the image " + path_);
  }
  if (!exclusive) return {};
  // Behind the end, where there is nothing to lose.
  const uint64_t behind = (size_ / kPageSize.count + 1) * kPageSize.count;
  if (fallocate(fd_.get(), kPunchHole, static_cast<off_t>(behind),
                static_cast<off_t>(kPageSize.count)) != 0) {
    return FailErrno(errno, "freeing blocks of the image " + path_,
                     "its file system must be able to punch holes", ErrorCode::kUnsupported);
  }
  return {};
}

tl::unexpected<Error> ImageFile::Damaged(const std::string& what, std::string hint) const {
  return Fail(ErrorCode::kDamaged, "reading the image " + path_ + ": " + what, std::move(hint));
}

Result<void> ImageFile::ReadAt(uint64_t offset, std::span<std::byte> to) const {
  if (offset > size_ || to.size() > size_ - offset) return Damaged("it is cut off");
  while (!to.empty()) {
    const ssize_t n = pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      auto failure = FailErrno(errno, "reading the image " + path_, "see the kernel's log");
      failure.value().code = ErrorCode::kInternal;  // kOutput is about the other direction
      return failure;
    }
    if (n == 0) return Damaged("it became shorter while it was read");
    to = to.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

size_t ImageFile::ReadCached(uint64_t offset, std::span<std::byte> to) const {
  const iovec part{.iov_base = to.data(), .iov_len = to.size()};
  // Where a file system knows no such reading, nothing counts as cached.
  const ssize_t n = preadv2(fd_.get(), &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  return n <= 0 ? 0 : static_cast<size_t>(n);
}

void ImageFile::Prefetch(uint64_t offset, uint64_t length) const {
  posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                POSIX_FADV_WILLNEED);
}

void ImageFile::Punch(uint64_t offset, uint64_t length) const {
  if (length == 0) return;
  static_cast<void>(
      fallocate(fd_.get(), kPunchHole, static_cast<off_t>(offset), static_cast<off_t>(length)));
}

template <class Take>
Result<void> ImageFile::ForEachPiece(uint64_t offset, uint64_t length, Take take) const {
  if (offset > size_ || length > size_ - offset) return Damaged("it is cut off");
  ByteVector piece(static_cast<size_t>(std::min(length, kPiece)));
  while (length > 0) {
    const std::span<std::byte> to(piece.data(),
                                  static_cast<size_t>(std::min<uint64_t>(length, piece.size())));
    STILLFRAME_TRY(ReadAt(offset, to));
    take(std::span<const std::byte>(to));
    offset += to.size();
    length -= to.size();
  }
  return {};
}

Result<uint64_t> ImageFile::ChecksumOf(uint64_t offset, uint64_t length) const {
  RunningChecksum checksum;
  STILLFRAME_TRY(ForEachPiece(offset, length, [&checksum](auto piece) { checksum.Add(piece); }));
  return checksum.value();
}

Result<bool> ImageFile::IsZero(uint64_t offset, uint64_t length) const {
  bool zero = true;
  STILLFRAME_TRY(ForEachPiece(offset, length, [&zero](auto piece) {
    zero = zero &&
           std::all_of(piece.begin(), piece.end(), [](std::byte b) { return b == std::byte{0}; });
  }));
  return zero;
}

Result<void> ImageFile::Free(uint64_t offset, uint64_t length) const {
  while (fallocate(fd_.get(), kPunchHole, static_cast<off_t>(offset), static_cast<off_t>(length)) !=
         0) {
    if (errno == EINTR) continue;
    const bool unknown = errno == EOPNOTSUPP || errno == ENOSYS;
    return FailErrno(errno, "making a hole in the image " + path_, {},
                     unknown ? ErrorCode::kUnsupported : ErrorCode::kOutput);
  }
  return {};
}

Result<void> ImageFile::Sync() const {
  if (fsync(fd_.get()) == 0) return {};
  return FailErrno(errno, "syncing the image " + path_, {}, ErrorCode::kOutput);
}

Result<Bytes> ImageFile::OnDisk() const {
  struct stat status;
  if (fstat(fd_.get(), &status) != 0) return FailErrno(errno, "looking at the image " + path_);
  return Bytes{static_cast<uint64_t>(status.st_blocks) * 512};  // its unit, whatever the disk's
}

}  // namespace stillframe
