#include "store/new_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/fail_point.h"

namespace stillframe {
namespace {

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

// What an openat with O_TMPFILE says where the file system, or an old kernel, doesn't know it.
bool IsUnnamedUnsupported(int error) {
  return error == EOPNOTSUPP || error == EISDIR || error == EINVAL || error == ENOENT;
}

// `access`: O_WRONLY or O_RDWR.
Result<UniqueFd> OpenPartial(int directory, const std::string& path, const std::string& partial,
                             int access) {
  UniqueFd file(
      openat(directory, partial.c_str(), access | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file && errno == EEXIST) {
    return Fail(ErrorCode::kUsage, "creating " + path + ".partial: the file exists",
                "another save may be writing it; if none is, it was left by one that was killed: "
                "remove it");
  }
  if (!file) return NewFile::Failed(errno, "creating " + path + ".partial");
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

Result<std::unique_ptr<NewFile>> NewFile::Open(const std::string& path, const Options& options) {
  const std::string base = BaseOf(path);
  if (base.empty() || base == "." || base == "..") {
    return Fail(ErrorCode::kUsage, "writing to " + path + ": that is a directory",
                "name a file in it");
  }
  const std::string directory_path = DirectoryOf(path);
  UniqueFd directory(open(directory_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return Failed(errno, "opening the directory " + directory_path);
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
  const int access = options.readable ? O_RDWR : O_WRONLY;
  if (options.unnamed) {
    file = UniqueFd(openat(directory.get(), ".", O_TMPFILE | access | O_CLOEXEC, 0600));
    error = file ? 0 : errno;
    if (file) FailPoint("store.open");
  }
  if (!file) {
    if (!IsUnnamedUnsupported(error)) return Failed(error, "creating a file in " + directory_path);
    partial = base + ".partial";
    STILLFRAME_ASSIGN(file, OpenPartial(directory.get(), path, partial, access));
  }
  return std::unique_ptr<NewFile>(
      new NewFile(path, options.force, std::move(directory), std::move(file), std::move(partial)));
}

NewFile::NewFile(std::string path, bool force, UniqueFd directory, UniqueFd file,
                 std::string partial)
    : path_(std::move(path)),
      force_(force),
      directory_(std::move(directory)),
      file_(std::move(file)),
      partial_(std::move(partial)) {
  // The umask must not take our own rights, nor can it: 0600 is all that it is given.
  fchmod(file_.get(), 0600);
}

tl::unexpected<Error> NewFile::Failed(int error, const std::string& operation) {
  return FailErrno(error, operation, HintFor(error), ErrorCode::kOutput);
}

NewFile::~NewFile() {
  if (!partial_.empty()) unlinkat(directory_.get(), partial_.c_str(), 0);
}

std::string NewFile::base() const { return BaseOf(path_); }

Result<void> NewFile::CheckInterrupted() const {
  if (!interrupted_.load(std::memory_order_relaxed)) return {};
  return Fail(ErrorCode::kInterrupted, "writing " + path_ + " was interrupted");
}

tl::unexpected<Error> NewFile::Exists() const {
  return Fail(ErrorCode::kUsage, "naming " + path_ + ": a file of that name turned up meanwhile",
              "choose another name, or replace it with --force");
}

Result<void> NewFile::Publish() {
  STILLFRAME_TRY(CheckInterrupted());
  if (fsync(file_.get()) != 0) return Failed(errno, "syncing " + path_);
  FailPoint("store.sync");
  STILLFRAME_TRY(CheckInterrupted());
  STILLFRAME_TRY(partial_.empty() ? NameUnnamed() : NamePartial());
  return SyncDirectory();
}

int NewFile::Link(const std::string& name) const {
  const std::string self = "/proc/self/fd/" + std::to_string(file_.get());
  if (linkat(AT_FDCWD, self.c_str(), directory_.get(), name.c_str(), AT_SYMLINK_FOLLOW) == 0)
    return 0;
  if (errno != ENOENT) return errno;
  // No /proc here. This way needs CAP_DAC_READ_SEARCH.
  return linkat(file_.get(), "", directory_.get(), name.c_str(), AT_EMPTY_PATH) == 0 ? 0 : errno;
}

Result<void> NewFile::NameUnnamed() {
  const int error = Link(base());
  if (error == EEXIST) {
    if (!force_) return Exists();
    return ReplaceByUnnamed();
  }
  if (error != 0) return Failed(error, "naming " + path_);
  published_ = true;
  FailPoint("store.link");
  return {};
}

// An unnamed file can't be renamed, and linkat replaces nothing: so it gets a name of its own
// first.
Result<void> NewFile::ReplaceByUnnamed() {
  const std::string temporary = TemporaryName();
  if (const int error = Link(temporary); error != 0) {
    return Failed(error, "naming a file beside " + path_);
  }
  FailPoint("store.link-temporary");
  if (renameat(directory_.get(), temporary.c_str(), directory_.get(), base().c_str()) != 0) {
    const int error = errno;
    unlinkat(directory_.get(), temporary.c_str(), 0);
    return Failed(error, "replacing " + path_);
  }
  FailPoint("store.rename");
  return {};
}

Result<void> NewFile::NamePartial() {
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
  if (error != 0) return Failed(error, "naming " + path_);
  published_ = !force_;
  FailPoint("store.rename");
  return {};
}

Result<void> NewFile::SyncDirectory() {
  // Some file systems (FUSE, 9p) can't sync a directory, and say EINVAL.
  if (fsync(directory_.get()) != 0 && errno != EINVAL) {
    const int error = errno;
    // Whole or absent: a name that may not survive a crash is not to be relied on.
    if (published_) unlinkat(directory_.get(), base().c_str(), 0);
    return Failed(error, "syncing the directory of " + path_);
  }
  FailPoint("store.sync-directory");
  return {};
}

}  // namespace stillframe
