#include "image/image_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/unique_fd.h"
#include "image/wire.h"

namespace stillframe {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

bool IsImage(int directory, const char* name) {
  const UniqueFd file(
      openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat status;
  std::array<uint8_t, kHeaderMagic.size()> magic{};
  return file && fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
         pread(file.get(), magic.data(), magic.size(), 0) == static_cast<ssize_t>(magic.size()) &&
         magic == kHeaderMagic;
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
    if (IsImage(dirfd(open.get()), entry->d_name))
      images.push_back(directory + "/" + entry->d_name);
  }
  std::ranges::sort(images);
  return images;
}

}  // namespace stillframe
