#include "track/spill_directory.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>

namespace stillframe {
namespace {

constexpr const char* kDefault = "/var/tmp";

}  // namespace

Result<SpillDirectory> FindSpillDirectory(const std::string& named) {
  const std::string path = named.empty() ? kDefault : named;
  struct statfs about {};
  if (statfs(path.c_str(), &about) != 0) {
    return FailErrno(errno, "looking at the spill directory " + path,
                     "--spill-dir names another one; --on-full wait needs none",
                     ErrorCode::kOutput);
  }
  if (named.empty() && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC)) {
    return Fail(ErrorCode::kUsage,
                path + " is in memory itself, so that spilling to it would save none",
                "--spill-dir names a directory on a disk, or this one all the same; --on-full wait "
                "makes writes wait instead");
  }
  return SpillDirectory{path, Bytes{about.f_bavail * static_cast<uint64_t>(about.f_bsize)}};
}

Bytes DefaultSpillLimit(Bytes to_save, Bytes free) { return std::min(to_save, free / 2); }

}  // namespace stillframe
