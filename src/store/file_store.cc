#include "store/file_store.h"

#include <sys/uio.h>

#include <cerrno>
#include <utility>

#include "base/fail_point.h"
#include "store/iovec_cursor.h"
#include "store/signal_guard.h"

namespace stillframe {
namespace {

// A write of this size is long enough to be fast and short enough to notice an interrupt.
constexpr size_t kChunk = MiB(1).count;

}  // namespace

Result<std::unique_ptr<Store>> FileStore::Open(const std::string& path, const Options& options) {
  STILLFRAME_ASSIGN(auto file,
                    NewFile::Open(path, {.force = options.force, .unnamed = options.unnamed}));
  std::unique_ptr<Store> store(new FileStore(std::move(file)));
  return store;
}

Result<void> FileStore::Append(std::span<const iovec> parts) {
  SignalGuard guard;
  for (IovecCursor cursor(parts); !cursor.done();) {
    STILLFRAME_TRY(file_->CheckInterrupted());
    const std::span<iovec> next = cursor.Next(kChunk);
    const ssize_t n = writev(file_->fd(), next.data(), static_cast<int>(next.size()));
    if (n < 0 && errno == EINTR) continue;
    // Nothing of something is no answer that could be repeated for ever.
    if (n <= 0) {
      const int error = n < 0 ? errno : EIO;
      guard.OnFailure();
      return NewFile::Failed(error, "writing " + file_->path());
    }
    FailPoint("store.append");
    cursor.Consume(static_cast<size_t>(n));
    Advance(static_cast<uint64_t>(n));
    if (const int error = write_behind_.OnWritten(position()); error != 0) {
      return NewFile::Failed(error, "writing " + file_->path() + " to the disk");
    }
  }
  return {};
}

}  // namespace stillframe
