#include "track/spill_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "base/fail_point.h"
#include "base/unique_fd.h"
#include "store/iovec_cursor.h"
#include "store/write_behind.h"

namespace stillframe {
namespace {

constexpr const char* kHint =
    "--spill-dir names another directory, --on-full wait makes writes wait instead, and a larger "
    "--stage needs no file so soon";

tl::unexpected<Error> SpillError(int error, const std::string& operation) {
  return FailErrno(error, operation, kHint, ErrorCode::kOutput);
}

// What an open with O_TMPFILE says where the file system, or an old kernel, doesn't know it.
bool IsUnnamedUnsupported(int error) {
  return error == EOPNOTSUPP || error == EISDIR || error == EINVAL;
}

// What was spilled lately is read back from the cache: mostly an output falls behind for a moment
// only. To read from the disk what was just written there took more CPU time than all else of a
// save (0.9 s for 470 MB), on a machine that had none to spare.
constexpr Bytes kKeptInCache = MiB(256);

// Written through the page cache: with O_DIRECT each run of pages waits for the device, and it is
// these writes that a target may wait for. WriteBehind bounds what stays in the cache, and what was
// read back is dropped from it.
class UnnamedSpillFile final : public SpillFile {
 public:
  UnnamedSpillFile(UniqueFd file, std::string directory)
      : file_(std::move(file)), directory_(std::move(directory)) {
    // Read in order, and once.
    posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }

  Result<void> Write(Bytes offset, std::span<const iovec> pages) override {
    // From the start again: the file is used in laps.
    if (offset.count == 0) behind_.emplace(file_.get(), kKeptInCache);
    for (IovecCursor cursor(pages); !cursor.done();) {
      const std::span<iovec> next = cursor.Next(SIZE_MAX);
      const ssize_t n = pwritev(file_.get(), next.data(), static_cast<int>(next.size()),
                                static_cast<off_t>(offset.count));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return SpillError(n < 0 ? errno : EIO, "writing the spill file in " + directory_);
      cursor.Consume(static_cast<size_t>(n));
      offset += Bytes{static_cast<uint64_t>(n)};
    }
    // A page that did not get there is found out when it is read back.
    static_cast<void>(behind_->OnWritten(offset));
    return {};
  }

  Result<void> Read(Bytes offset, std::span<std::byte> to) override {
    while (!to.empty()) {
      const ssize_t n = pread(file_.get(), to.data(), to.size(), static_cast<off_t>(offset.count));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return SpillError(n < 0 ? errno : EIO, "reading the spill file in " + directory_);
      to = to.subspan(static_cast<size_t>(n));
      offset += Bytes{static_cast<uint64_t>(n)};
    }
    return {};
  }

  void GiveBack(Bytes offset, Bytes size) override {
    const auto begin = static_cast<off_t>(offset.count);
    const auto length = static_cast<off_t>(size.count);
    // Where holes can't be made the space is used again in the next lap.
    if (fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, length) != 0) {
      posix_fadvise(file_.get(), begin, length, POSIX_FADV_DONTNEED);
    }
  }

 private:
  const UniqueFd file_;
  const std::string directory_;
  std::optional<WriteBehind> behind_;
};

// Has a name for a moment only.
UniqueFd CreateAndUnlink(const std::string& directory) {
  std::string path = directory + "/.stillframe-spill-XXXXXX";
  UniqueFd file(mkostemp(path.data(), O_CLOEXEC));
  if (file) unlink(path.c_str());
  return file;
}

}  // namespace

Result<std::unique_ptr<SpillFile>> CreateSpillFile(const std::string& directory) {
  UniqueFd file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file && IsUnnamedUnsupported(errno)) file = CreateAndUnlink(directory);
  if (!file) return SpillError(errno, "creating a spill file in " + directory);
  // The umask must not take our own rights.
  fchmod(file.get(), 0600);
  FailPoint("spill.open");
  return std::make_unique<UnnamedSpillFile>(std::move(file), directory);
}

}  // namespace stillframe
