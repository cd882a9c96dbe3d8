#include "store/file_store.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/fail_point.h"
#include "store/iovec_cursor.h"

namespace stillframe {
namespace {

// A write of this size is long enough to be fast and short enough to notice an interrupt.
constexpr size_t kChunk = MiB(1).count;

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::Open(const std::string& path,
                                                   const Options& options) {
  STILLFRAME_ASSIGN(auto file,
                    NewFile::Open(path, {.force = options.force, .unnamed = options.unnamed}));
  return std::unique_ptr<FileStore>(new FileStore(std::move(file), options.direct));
}

Result<void> FileStore::Append(std::span<const iovec> parts) {
  SignalGuard guard;
  for (IovecCursor cursor(parts); !cursor.done();) {
    STILLFRAME_TRY(file_->CheckInterrupted());
    if (may_be_direct_ && position() == kHead) ChangeOver();
    const std::span<iovec> next = cursor.Next(Step());
    const auto n = direct_.started() ? WriteDirectly(next) : WriteThrough(next);
    if (!n) {
      guard.OnFailure();
      return tl::unexpected(n.error());
    }
    cursor.Consume(*n);
    Advance(*n);
    // Of room that was not to be had nobody hears but this thread's signals.
    if (direct_.lengthened()) guard.OnFailure();
  }
  return {};
}

size_t FileStore::Step() const {
  return may_be_direct_ ? std::min<size_t>(kChunk, kHead.count - position().count) : kChunk;
}

void FileStore::ChangeOver() {
  may_be_direct_ = false;
  if (direct_.Start(position().count)) way_ = Way::kDirect;
}

Result<size_t> FileStore::WriteThrough(std::span<const iovec> parts) {
  const ssize_t n = writev(file_->fd(), parts.data(), static_cast<int>(parts.size()));
  if (n < 0 && errno == EINTR) return 0;
  // Nothing of something is no answer that could be repeated for ever.
  if (n <= 0) {
    const int error = n < 0 ? errno : EIO;
    return NewFile::Failed(error, "writing " + file_->path());
  }
  FailPoint("store.append");
  const auto written = static_cast<size_t>(n);
  const Bytes end{position().count + written};
  if (const int error = write_behind_.OnWritten(end); error != 0) {
    return NewFile::Failed(error, "writing " + file_->path() + " to the disk");
  }
  return written;
}

Result<size_t> FileStore::WriteDirectly(std::span<const iovec> parts) {
  if (const size_t n = direct_.Take(parts); n > 0) return n;
  way_ = Way::kPageCache;
  STILLFRAME_TRY(EndDirect());
  return 0;
}

Result<void> FileStore::EndDirect() {
  const int error = direct_.End();
  if (error == 0) return {};
  return NewFile::Failed(error, "writing " + file_->path());
}

Result<void> FileStore::Publish() {
  STILLFRAME_TRY(file_->CheckInterrupted());
  SignalGuard guard;
  if (direct_.started()) {
    const Result<void> ended = EndDirect();
    if (!ended) guard.OnFailure();
    STILLFRAME_TRY(ended);
  }
  if (direct_.lengthened() && ftruncate(file_->fd(), static_cast<off_t>(position().count)) != 0) {
    return NewFile::Failed(errno, "cutting off " + file_->path());
  }
  return file_->Publish();
}

}  // namespace stillframe
