#include <limits.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>

#include "store/file_store.h"
#include "store/store.h"
#include "store/stream_store.h"

namespace stillframe {
namespace {

constexpr Duration kReaderWait = std::chrono::seconds(10);

// The file that `path` leads to: what replaces a file must not replace a symbolic link to it
// (/dev/stdout is one).
Result<std::string> ResolveLink(const std::string& path) {
  char resolved[PATH_MAX];
  if (realpath(path.c_str(), resolved) == nullptr) {
    return FailErrno(errno, "following the symbolic link " + path, {}, ErrorCode::kOutput);
  }
  return std::string(resolved);
}

}  // namespace

Result<std::unique_ptr<Store>> OpenStore(const Output& output) {
  if (output.path.empty()) return StreamStore::FromDescriptor(output.descriptor);
  const std::string& path = output.path;
  const FileStore::Options options{.force = output.force};
  struct stat itself;
  // What is wrong with the directory is found, and told, by the one who opens it.
  if (lstat(path.c_str(), &itself) != 0) return FileStore::Open(path, options);
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return FailErrno(errno, "writing to " + path, {}, ErrorCode::kOutput);
    return Fail(ErrorCode::kUsage, "writing to " + path + ": it is a symbolic link to nothing",
                "remove it, or name the file itself");
  }
  if (S_ISREG(status.st_mode)) {
    if (!S_ISLNK(itself.st_mode)) return FileStore::Open(path, options);
    STILLFRAME_ASSIGN(const std::string file, ResolveLink(path));
    return FileStore::Open(file, options);
  }
  if (S_ISDIR(status.st_mode)) {
    return Fail(ErrorCode::kUsage, "writing to " + path + ": that is a directory",
                "name a file in it");
  }
  if (S_ISSOCK(status.st_mode)) {
    return Fail(ErrorCode::kUsage, "writing to " + path + ": that is a socket",
                "connect to it with a program of its own and write to a pipe (-o -)");
  }
  return StreamStore::FromPath(path, kReaderWait);
}

}  // namespace stillframe
