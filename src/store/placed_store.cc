#include "store/placed_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/fail_point.h"
#include "store/signal_guard.h"

namespace stillframe {
namespace {

// As long as is fast, and as short as is needed to notice an interrupt.
constexpr uint64_t kChunk = MiB(1).count;

constexpr std::array<std::byte, KiB(64).count> kZeros{};

// What the file system, not the disk, has against it.
bool IsUnknown(int error) {
  return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL || error == EXDEV ||
         error == ENODEV || error == EBADF;
}

}  // namespace

Result<std::unique_ptr<PlacedStore>> PlacedStore::Open(const std::string& path,
                                                       const Options& options) {
  STILLFRAME_ASSIGN(
      auto file,
      NewFile::Open(path, {.force = options.force, .unnamed = options.unnamed, .readable = true}));
  return std::unique_ptr<PlacedStore>(new PlacedStore(std::move(file), options));
}

PlacedStore::PlacedStore(std::unique_ptr<NewFile> file, const Options& options)
    : file_(std::move(file)),
      holes_(options.holes),
      copies_(options.copies),
      write_behind_(file_->fd()) {}

Result<void> PlacedStore::NoteWritten(uint64_t offset, uint64_t bytes) {
  written_.fetch_add(bytes, std::memory_order_relaxed);
  const int error = write_behind_.OnWritten(offset, Bytes{bytes});
  if (error == 0) return {};
  return NewFile::Failed(error, "writing " + file_->path() + " to the disk");
}

Result<void> PlacedStore::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  SignalGuard guard;
  while (!bytes.empty()) {
    STILLFRAME_TRY(file_->CheckInterrupted());
    const ssize_t n = pwrite(file_->fd(), bytes.data(), std::min<size_t>(bytes.size(), kChunk),
                             static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    // Nothing of something is no answer that could be repeated for ever.
    if (n <= 0) {
      const int error = n < 0 ? errno : EIO;
      guard.OnFailure();
      return NewFile::Failed(error, "writing " + file_->path());
    }
    FailPoint("store.write-at");
    const auto done = static_cast<size_t>(n);
    STILLFRAME_TRY(NoteWritten(offset, done));
    offset += done;
    bytes = bytes.subspan(done);
  }
  return {};
}

int PlacedStore::PunchHole(uint64_t offset, Bytes size) {
  if (!holes_) return EOPNOTSUPP;
  while (fallocate(file_->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                   static_cast<off_t>(offset), static_cast<off_t>(size.count)) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    holes_ = !IsUnknown(error);
    return error;
  }
  FailPoint("store.erase");
  return 0;
}

bool PlacedStore::MakeHole(uint64_t offset, Bytes size) {
  return size.count == 0 || PunchHole(offset, size) == 0;
}

Result<void> PlacedStore::WriteZeros(uint64_t offset, Bytes size) {
  // Whatever was in the way of a hole, they say what is wrong if they can't be written.
  for (uint64_t done = 0; done < size.count; done += kZeros.size()) {
    const auto piece = std::span(kZeros).first(std::min(size.count - done, kZeros.size()));
    STILLFRAME_TRY(WriteAt(offset + done, piece));
  }
  return {};
}

Result<void> PlacedStore::Copy(uint64_t from, uint64_t to, Bytes size) {
  for (uint64_t done = 0; done < size.count;) {
    STILLFRAME_TRY(file_->CheckInterrupted());
    STILLFRAME_ASSIGN(const uint64_t n,
                      CopySome(from + done, to + done, std::min(size.count - done, kChunk)));
    done += n;
  }
  return {};
}

Result<uint64_t> PlacedStore::CopySome(uint64_t from, uint64_t to, uint64_t size) {
  if (!copies_) return CopyThroughMemory(from, to, size);
  SignalGuard guard;
  auto source = static_cast<off64_t>(from);
  auto target = static_cast<off64_t>(to);
  const ssize_t n = copy_file_range(file_->fd(), &source, file_->fd(), &target, size, 0);
  if (n > 0) {
    FailPoint("store.copy");
    STILLFRAME_TRY(NoteWritten(to, static_cast<uint64_t>(n)));
    return static_cast<uint64_t>(n);
  }
  const int error = n < 0 ? errno : EIO;
  if (error == EINTR) return 0;
  guard.OnFailure();
  // Nothing copied is also what some file systems say that can't; reading then says what is wrong.
  if (n < 0 && !IsUnknown(error)) {
    return NewFile::Failed(error, "moving a part of " + file_->path());
  }
  copies_ = false;
  return CopyThroughMemory(from, to, size);
}

Result<uint64_t> PlacedStore::CopyThroughMemory(uint64_t from, uint64_t to, uint64_t size) {
  std::vector<std::byte> buffer(static_cast<size_t>(std::min(size, kChunk)));
  ssize_t n = 0;
  do {
    n = pread(file_->fd(), buffer.data(), buffer.size(), static_cast<off_t>(from));
  } while (n < 0 && errno == EINTR);
  if (n <= 0) {
    return NewFile::Failed(n < 0 ? errno : EIO, "reading back a part of " + file_->path());
  }
  STILLFRAME_TRY(WriteAt(to, std::span(buffer).first(static_cast<size_t>(n))));
  return static_cast<uint64_t>(n);
}

Result<void> PlacedStore::SetSize(Bytes size) {
  SignalGuard guard;
  while (ftruncate(file_->fd(), static_cast<off_t>(size.count)) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    guard.OnFailure();
    return NewFile::Failed(
        error, "making " + file_->path() + " " + std::to_string(size.count) + " bytes large");
  }
  FailPoint("store.resize");
  return {};
}

}  // namespace stillframe
