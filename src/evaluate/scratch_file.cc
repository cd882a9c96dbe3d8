#include "evaluate/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "evaluate/check_failure.h"
#include "evaluate/page_pattern.h"

namespace stillframe::evaluate {
namespace {

UniqueFd OpenUnnamed(const std::string& directory) {
  UniqueFd fd(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  std::string name = directory + "/stillframe-workload-XXXXXX";
  fd.reset(mkostemp(name.data(), O_CLOEXEC));
  if (!fd) FailCall("scratch file", "create in " + directory);
  unlink(name.c_str());
  return fd;
}

}  // namespace

ScratchFile::ScratchFile(const std::string& directory, size_t pages, uint64_t seed)
    : pages_(pages), seed_(seed), fd_(OpenUnnamed(directory)) {
  alignas(sizeof(uint64_t)) std::byte page[kPageBytes];
  for (size_t i = 0; i < pages; ++i) {
    ExpectedPage(i, page);
    if (pwrite(fd_.get(), page, kPageBytes, static_cast<off_t>(i * kPageBytes)) !=
        static_cast<ssize_t>(kPageBytes)) {
      FailCall("scratch file", "write");
    }
  }
  // Direct reads then need not write it back first.
  fdatasync(fd_.get());
}

UniqueFd ScratchFile::OpenDirect() const {
  const std::string path = "/proc/self/fd/" + std::to_string(fd_.get());
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
}

void ScratchFile::ExpectedPage(size_t i, std::byte* page) const { FillPage(page, seed_, i, 1); }

void ScratchFile::CheckPage(const char* part, size_t i, const std::byte* page) const {
  if (const auto offset = FindWrongWord(page, seed_, i, 1)) {
    FailCheck(part, "page " + std::to_string(i) + " of the file", page + *offset);
  }
}

}  // namespace stillframe::evaluate
