#include "image/image_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "image/wire.h"

namespace stillframe {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// What a writer leaves behind that was killed where it could not help it: store/new_file.h.
bool IsUnfinished(std::string_view name) {
  return name.ends_with(".partial") || name.starts_with(".stillframe-");
}

// What can't be looked into may well be an image: an error, then.
Result<bool> IsImage(int directory, const std::string& name) {
  const UniqueFd file(
      openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  // A symbolic link, a socket, a device without a driver, or gone by now.
  if (!file && (errno == ELOOP || errno == ENXIO || errno == ENODEV || errno == ENOENT)) {
    return false;
  }
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0) {
    return FailErrno(errno, "finding out whether " + name + " is an image");
  }
  if (!S_ISREG(status.st_mode)) return false;
  std::array<uint8_t, kHeaderMagic.size()> magic{};
  const ssize_t n = pread(file.get(), magic.data(), magic.size(), 0);
  if (n < 0) return FailErrno(errno, "finding out whether " + name + " is an image");
  return n == static_cast<ssize_t>(magic.size()) && magic == kHeaderMagic;
}

}  // namespace

Result<std::vector<std::string>> ListImages(const std::string& directory) {
  const std::unique_ptr<DIR, CloseDirectory> open(opendir(directory.c_str()));
  if (!open) return FailErrno(errno, "opening the directory " + directory, {}, ErrorCode::kUsage);
  std::vector<std::string> images;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(open.get());
    if (entry == nullptr && errno != 0) {
      return FailErrno(errno, "reading the directory " + directory);
    }
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (IsUnfinished(name)) continue;
    STILLFRAME_ASSIGN(const bool is_image, IsImage(dirfd(open.get()), name));
    if (is_image) images.push_back(directory + "/" + name);
  }
  std::ranges::sort(images);
  return images;
}

}  // namespace stillframe
