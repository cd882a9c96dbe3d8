#include "target/executable_scan.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/unique_fd.h"
#include "sys/proc_file.h"

namespace stillframe {
namespace {

// Lines of a file. One that is longer than the buffer comes in pieces, of which no other begins
// like a mapping: only a file's name can be that long, and it holds no line end.
class Lines {
 public:
  explicit Lines(int fd) : fd_(fd) {}

  std::optional<std::string_view> Next() {
    for (;;) {
      const std::string_view left(buffer_.data() + begin_, end_ - begin_);
      const size_t length = left.find('\n');
      if (length != std::string_view::npos) {
        begin_ += length + 1;
        return left.substr(0, length);
      }
      if (left.size() == buffer_.size()) {
        begin_ = end_;
        return left;
      }
      if (!Fill()) return std::nullopt;
    }
  }

 private:
  bool Fill() {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    ssize_t n = 0;
    do {
      n = read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    end_ += static_cast<size_t>(n);
    return true;
  }

  int fd_;
  size_t begin_ = 0;
  size_t end_ = 0;
  std::array<char, 8192> buffer_;
};

// "BEGIN-END PERMISSIONS ...", when they include execution.
std::optional<AddressRange> ParseExecutable(std::string_view line) {
  AddressRange range;
  const char* const end = line.data() + line.size();
  auto at = std::from_chars(line.data(), end, range.begin.value, 16);
  if (at.ec != std::errc() || at.ptr == end || *at.ptr != '-') return std::nullopt;
  at = std::from_chars(at.ptr + 1, end, range.end.value, 16);
  if (at.ec != std::errc() || end - at.ptr < 5 || at.ptr[3] != 'x') return std::nullopt;
  return range;
}

}  // namespace

ExecutableRanges ScanExecutableRanges(int process, pid_t tid) {
  ExecutableRanges found;
  const UniqueFd maps(openat(process, TaskPath(tid, "maps").c_str(), O_RDONLY | O_CLOEXEC));
  if (!maps) return found;
  Lines lines(maps.get());
  while (const auto line = lines.Next()) {
    const auto range = ParseExecutable(*line);
    // The vsyscall page only looks like code.
    if (!range || line->ends_with("[vsyscall]")) continue;
    const bool full = found.count == found.ranges.size();
    if (line->ends_with("[vdso]")) {
      // In front; the last one makes room.
      std::rotate(found.ranges.begin(), found.ranges.end() - 1, found.ranges.end());
      found.ranges[0] = *range;
      found.count += full ? 0 : 1;
    } else if (!full) {
      found.ranges[found.count++] = *range;
    }
  }
  return found;
}

}  // namespace stillframe
