#include "image/image_file.h"

#include <fcntl.h>
#include <sys/stat.h>
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

}  // namespace

Result<ImageFile> ImageFile::Open(const std::string& path) {
  // O_NONBLOCK: a FIFO would keep us waiting for its writer.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return FailErrno(errno, "opening the image " + path, {}, ErrorCode::kUsage);
  struct stat status;
  if (fstat(fd.get(), &status) != 0) return FailErrno(errno, "looking at the image " + path);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kUsage, "opening the image " + path + ": it is not a regular file",
                "an image is read from its end: write what comes through a pipe to a file first");
  }
  return ImageFile(path, std::move(fd), static_cast<uint64_t>(status.st_size));
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

void ImageFile::Prefetch(uint64_t offset, uint64_t length) const {
  posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                POSIX_FADV_WILLNEED);
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

}  // namespace stillframe
