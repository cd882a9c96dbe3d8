#include "store/output_place.h"

#include <limits.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

namespace stillframe {
namespace {

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

Result<OutputPlace> FindOutput(const Output& output) {
  const std::string& path = output.path;
  if (path.empty()) return OutputPlace{};
  const OutputPlace file{.is_file = true, .path = path};
  struct stat itself;
  if (lstat(path.c_str(), &itself) != 0) return file;
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return FailErrno(errno, "writing to " + path, {}, ErrorCode::kOutput);
    return Fail(ErrorCode::kUsage, "writing to " + path + ": it is a symbolic link to nothing",
                "remove it, or name the file itself");
  }
  if (S_ISREG(status.st_mode)) {
    if (!S_ISLNK(itself.st_mode)) return file;
    STILLFRAME_ASSIGN(const std::string target, ResolveLink(path));
    return OutputPlace{.is_file = true, .path = target};
  }
  if (S_ISDIR(status.st_mode)) {
    return Fail(ErrorCode::kUsage, "writing to " + path + ": that is a directory",
                "name a file in it");
  }
  if (S_ISSOCK(status.st_mode)) {
    return Fail(ErrorCode::kUsage, "writing to " + path + ": that is a socket",
                "connect to it with a program of its own and write to a pipe (-o -)");
  }
  return OutputPlace{.is_file = false, .path = path};
}

}  // namespace stillframe
