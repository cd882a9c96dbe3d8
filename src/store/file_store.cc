#include "store/file_store.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/fail_point.h"
#include "store/iovec_cursor.h"
#include "store/signal_guard.h"

namespace stillframe {
namespace {

// A write of this size is long enough to be fast and short enough to notice an interrupt.
constexpr size_t kChunk = MiB(1).count;

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string BaseOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// What to do about errno of a file operation on the output, for those cases that a user can do
// something about.
std::string HintFor(int error) {
  switch (error) {
    case ENOSPC:
      return "free some space there, or choose another file system";
    case EDQUOT:
      return "the disk quota is used up: free some space, or choose another file system";
    case EFBIG:
      return "the file size limit is reached: see ulimit -f, and what the file system can hold";
    case EROFS:
      return "choose a directory that is mounted read-write";
    case ENOENT:
      return "create the directory first";
    case EACCES:
    case EPERM:
      return "choose a directory that you may write to";
    default:
      return {};
  }
}

tl::unexpected<Error> FileError(int error, const std::string& operation) {
  return FailErrno(error, operation, HintFor(error), ErrorCode::kOutput);
}

// What an openat with O_TMPFILE says where the file system, or an old kernel, doesn't know it.
bool IsUnnamedUnsupported(int error) {
  return error == EOPNOTSUPP || error == EISDIR || error == EINVAL || error == ENOENT;
}

Result<UniqueFd> OpenPartial(int directory, const std::string& path, const std::string& partial) {
  UniqueFd file(openat(directory, partial.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file && errno == EEXIST) {
    return Fail(ErrorCode::kUsage, "creating " + path + ".partial: the file exists",
                "another save may be writing it; if none is, it was left by one that was killed: "
                "remove it");
  }
  if (!file) return FileError(errno, "creating " + path + ".partial");
  FailPoint("store.open-partial");
  return file;
}

std::string TemporaryName() {
  uint64_t random = 0;
  // Fails only before the kernel's pool is ready; the name is checked by linkat anyway.
  [[maybe_unused]] const ssize_t n = getrandom(&random, sizeof(random), 0);
  char name[40];
  std::snprintf(name, sizeof(name), ".stillframe-%016llx", static_cast<unsigned long long>(random));
  return name;
}

}  // namespace

Result<std::unique_ptr<Store>> FileStore::Open(const std::string& path, const Options& options) {
  const std::string base = BaseOf(path);
  if (base.empty() || base == "." || base == "..") {
    return Fail(ErrorCode::kUsage, "writing to " + path + ": that is a directory",
                "name a file in it");
  }
  const std::string directory_path = DirectoryOf(path);
  UniqueFd directory(open(directory_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return FileError(errno, "opening the directory " + directory_path);
  struct stat status;
  if (fstatat(directory.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && !options.force) {
    // Told now, so that nobody waits for a save to hear it. What decides is linkat, when the file
    // is complete.
    return Fail(ErrorCode::kUsage, "writing to " + path + ": the file exists",
                "choose another name, or replace it with --force");
  }
  std::string partial;
  UniqueFd file;
  int error = EOPNOTSUPP;
  if (options.unnamed) {
    file = UniqueFd(openat(directory.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    error = file ? 0 : errno;
    if (file) FailPoint("store.open");
  }
  if (!file) {
    if (!IsUnnamedUnsupported(error))
      return FileError(error, "creating a file in " + directory_path);
    partial = base + ".partial";
    STILLFRAME_ASSIGN(file, OpenPartial(directory.get(), path, partial));
  }
  std::unique_ptr<Store> store(new FileStore(path, options.force, std::move(directory),
                                             std::move(file), std::move(partial)));
  return store;
}

FileStore::FileStore(std::string path, bool force, UniqueFd directory, UniqueFd file,
                     std::string partial)
    : path_(std::move(path)),
      force_(force),
      directory_(std::move(directory)),
      file_(std::move(file)),
      partial_(std::move(partial)),
      write_behind_(file_.get()) {
  // The umask must not take our own rights, nor can it: 0600 is all that it is given.
  fchmod(file_.get(), 0600);
}

FileStore::~FileStore() {
  if (!partial_.empty()) unlinkat(directory_.get(), partial_.c_str(), 0);
}

std::string FileStore::base() const { return BaseOf(path_); }

Result<void> FileStore::CheckInterrupted() const {
  if (!interrupted_.load(std::memory_order_relaxed)) return {};
  return Fail(ErrorCode::kInterrupted, "writing " + path_ + " was interrupted");
}

tl::unexpected<Error> FileStore::Exists() const {
  return Fail(ErrorCode::kUsage,
              "naming the image " + path_ + ": a file of that name turned up meanwhile",
              "choose another name, or replace it with --force");
}

Result<void> FileStore::Append(std::span<const iovec> parts) {
  SignalGuard guard;
  for (IovecCursor cursor(parts); !cursor.done();) {
    STILLFRAME_TRY(CheckInterrupted());
    const std::span<iovec> next = cursor.Next(kChunk);
    const ssize_t n = writev(file_.get(), next.data(), static_cast<int>(next.size()));
    if (n < 0 && errno == EINTR) continue;
    // Nothing of something is no answer that could be repeated for ever.
    if (n <= 0) {
      const int error = n < 0 ? errno : EIO;
      guard.OnFailure();
      return FileError(error, "writing " + path_);
    }
    FailPoint("store.append");
    cursor.Consume(static_cast<size_t>(n));
    Advance(static_cast<uint64_t>(n));
    write_behind_.OnWritten(position());
  }
  return {};
}

Result<void> FileStore::Publish() {
  STILLFRAME_TRY(CheckInterrupted());
  if (fsync(file_.get()) != 0) return FileError(errno, "syncing " + path_);
  FailPoint("store.sync");
  STILLFRAME_TRY(CheckInterrupted());
  STILLFRAME_TRY(partial_.empty() ? NameUnnamed() : NamePartial());
  return SyncDirectory();
}

int FileStore::Link(const std::string& name) const {
  const std::string self = "/proc/self/fd/" + std::to_string(file_.get());
  if (linkat(AT_FDCWD, self.c_str(), directory_.get(), name.c_str(), AT_SYMLINK_FOLLOW) == 0)
    return 0;
  if (errno != ENOENT) return errno;
  // No /proc here. This way needs CAP_DAC_READ_SEARCH.
  return linkat(file_.get(), "", directory_.get(), name.c_str(), AT_EMPTY_PATH) == 0 ? 0 : errno;
}

Result<void> FileStore::NameUnnamed() {
  const int error = Link(base());
  if (error == EEXIST) {
    if (!force_) return Exists();
    return ReplaceByUnnamed();
  }
  if (error != 0) return FileError(error, "naming the image " + path_);
  published_ = true;
  FailPoint("store.link");
  return {};
}

// An unnamed file can't be renamed, and linkat replaces nothing: so it gets a name of its own
// first.
Result<void> FileStore::ReplaceByUnnamed() {
  const std::string temporary = TemporaryName();
  if (const int error = Link(temporary); error != 0) {
    return FileError(error, "naming the image beside " + path_);
  }
  FailPoint("store.link-temporary");
  if (renameat(directory_.get(), temporary.c_str(), directory_.get(), base().c_str()) != 0) {
    const int error = errno;
    unlinkat(directory_.get(), temporary.c_str(), 0);
    return FileError(error, "replacing " + path_);
  }
  FailPoint("store.rename");
  return {};
}

Result<void> FileStore::NamePartial() {
  const std::string name = base();
  const unsigned flags = force_ ? 0 : RENAME_NOREPLACE;
  int error = 0;
  if (renameat2(directory_.get(), partial_.c_str(), directory_.get(), name.c_str(), flags) == 0) {
    partial_.clear();
  } else {
    error = errno;
    // A file system that can't rename without replacing can link; the destructor takes the other
    // name away.
    if (!force_ && (error == EINVAL || error == ENOSYS)) {
      error = linkat(directory_.get(), partial_.c_str(), directory_.get(), name.c_str(), 0) == 0
                  ? 0
                  : errno;
    }
  }
  if (error == EEXIST) return Exists();
  if (error != 0) return FileError(error, "naming the image " + path_);
  published_ = !force_;
  FailPoint("store.rename");
  return {};
}

Result<void> FileStore::SyncDirectory() {
  // Some file systems (FUSE, 9p) can't sync a directory, and say EINVAL.
  if (fsync(directory_.get()) != 0 && errno != EINVAL) {
    const int error = errno;
    // Whole or absent: a name that may not survive a crash is not to be relied on.
    if (published_) unlinkat(directory_.get(), base().c_str(), 0);
    return FileError(error, "syncing the directory of " + path_);
  }
  FailPoint("store.sync-directory");
  return {};
}

}  // namespace stillframe
