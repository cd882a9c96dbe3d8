#include "sys/proc_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace stillframe {
namespace {

constexpr Bytes kSmallLimit = MiB(4);  // a command line can be that long

// The kernel's struct linux_dirent64.
struct KernelDirectoryEntry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

// The number that a name is, 0 for any other name.
pid_t ToNumber(const char* name) {
  const char* end = name + std::strlen(name);
  pid_t number = 0;
  const auto [stop, error] = std::from_chars(name, end, number);
  return error == std::errc() && stop == end && number > 0 ? number : 0;
}

}  // namespace

std::string_view ReadSmallFile(int directory, const char* path, std::span<char> to) {
  const UniqueFd fd(openat(directory, path, O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  size_t done = 0;
  while (done < to.size()) {
    const ssize_t n = read(fd.get(), to.data() + done, to.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return {};
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return {to.data(), done};
}

int ReadWholeFile(int fd, Bytes limit, std::string* text) {
  size_t done = 0;
  text->resize(std::max<size_t>(text->capacity(), KiB(64).count));
  for (;;) {
    if (done == text->size()) text->resize(text->size() * 2);
    const ssize_t n = pread(fd, text->data() + done, text->size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    done += static_cast<size_t>(n);
    if (done > limit.count) return EFBIG;
  }
  text->resize(done);
  return 0;
}

Result<std::string> ReadFileAt(int directory, const char* path, const std::string& what) {
  const UniqueFd fd(openat(directory, path, O_RDONLY | O_CLOEXEC));
  if (!fd) return FailErrno(errno == ENOENT ? ESRCH : errno, what);
  std::string text;
  if (const int error = ReadWholeFile(fd.get(), kSmallLimit, &text)) return FailErrno(error, what);
  text.shrink_to_fit();
  return text;
}

std::string ReadLinkAt(int directory, const char* path) {
  std::array<char, 4096> buffer;
  const ssize_t n = readlinkat(directory, path, buffer.data(), buffer.size());
  return n < 0 ? std::string() : std::string(buffer.data(), static_cast<size_t>(n));
}

NumberedEntries::NumberedEntries(int directory, const char* path)
    : fd_(openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!fd_) error_ = errno;
}

bool NumberedEntries::Fill() {
  if (!fd_) return false;
  const long n = syscall(SYS_getdents64, fd_.get(), buffer_.data(), buffer_.size());
  if (n < 0 && error_ == 0) error_ = errno;
  at_ = 0;
  end_ = n > 0 ? static_cast<size_t>(n) : 0;
  return end_ > 0;
}

pid_t NumberedEntries::Next() {
  for (;;) {
    if (at_ >= end_ && !Fill()) return 0;
    const auto* entry = reinterpret_cast<const KernelDirectoryEntry*>(buffer_.data() + at_);
    at_ += entry->size;
    if (const pid_t number = ToNumber(entry->name)) return number;
  }
}

ProcPath::ProcPath(std::string_view prefix, pid_t number, std::string_view suffix) {
  char* const last = text_.data() + text_.size() - 1;
  char* at = std::copy(prefix.begin(), prefix.end(), text_.data());
  at = std::to_chars(at, last, number).ptr;
  if (!suffix.empty() && at < last) *at++ = '/';
  const size_t room = std::min(suffix.size(), static_cast<size_t>(last - at));
  std::copy_n(suffix.begin(), room, at);
}

}  // namespace stillframe
