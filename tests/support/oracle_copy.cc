#include "support/oracle_copy.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "base/unique_fd.h"
#include "support/files.h"
#include "support/oracle_file.h"

namespace stillframe::test {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kChunk = 1 << 20;
constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kSwapped = uint64_t{1} << 62;

struct MapsLine {
  uint64_t begin = 0;
  uint64_t end = 0;
  char protection[5] = {};
  uint64_t file_offset = 0;
  uint64_t inode = 0;
  std::string name;
};

bool ParseMapsLine(const std::string& line, MapsLine* out) {
  unsigned major = 0;
  unsigned minor = 0;
  int name_at = 0;
  const int fields = std::sscanf(
      line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &out->begin,
      &out->end, out->protection, &out->file_offset, &major, &minor, &out->inode, &name_at);
  if (fields < 7) return false;
  out->name = line.substr(std::min(line.size(), static_cast<size_t>(name_at)));
  return true;
}

// Not memory of the process: kept by the kernel, or not there at all.
bool IsKernels(const std::string& name) {
  return name.starts_with("[vvar") || name == "[vsyscall]";
}

bool SwapIsInUse() {
  for (const std::string& line : Lines(ReadFile("/proc/meminfo"))) {
    unsigned long kib = 0;
    if (std::sscanf(line.c_str(), "SwapTotal: %lu", &kib) == 1) return kib != 0;
  }
  return true;
}

class MemoryCopier {
 public:
  MemoryCopier(pid_t pid, const std::string& directory)
      : pid_(pid),
        proc_("/proc/" + std::to_string(pid)),
        directory_(directory),
        // Without swap that bit can only be a marker that a protection left at a hole.
        there_(SwapIsInUse() ? kPresent | kSwapped : kPresent),
        buffer_(kChunk) {}

  Result<void> Run() {
    pagemap_.reset(open((proc_ + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
    if (!pagemap_) return FailErrno(errno, "open pagemap");
    memory_.reset(open((proc_ + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
    if (!memory_) return FailErrno(errno, "open mem");
    const std::string pages = OraclePagesPath(directory_);
    pages_.reset(open(pages.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!pages_) return FailErrno(errno, "create " + pages);
    for (const std::string& text : Lines(ReadFile(proc_ + "/maps"))) {
      MapsLine line;
      if (!ParseMapsLine(text, &line)) return Fail(ErrorCode::kInternal, "maps: " + text);
      if (!IsKernels(line.name)) STILLFRAME_TRY(CopyMapping(line));
    }
    return WriteOracleRanges(directory_, ranges_);
  }

 private:
  Result<void> CopyMapping(const MapsLine& line) {
    file_.reset();
    std::vector<uint64_t> entries(kChunk / kPage * 64);
    uint64_t at = line.begin;
    while (at < line.end) {
      const uint64_t count = std::min<uint64_t>(entries.size(), (line.end - at) / kPage);
      const ssize_t n = pread(pagemap_.get(), entries.data(), count * sizeof(uint64_t),
                              static_cast<off_t>(at / kPage * sizeof(uint64_t)));
      if (n != static_cast<ssize_t>(count * sizeof(uint64_t))) {
        return FailErrno(n < 0 ? errno : ESRCH, "read pagemap of " + line.name);
      }
      for (uint64_t i = 0; i < count;) {
        const bool there = (entries[i] & there_) != 0;
        uint64_t end = i + 1;
        while (end < count && ((entries[end] & there_) != 0) == there) ++end;
        STILLFRAME_TRY(CopyRun(line, at + i * kPage, at + end * kPage, there));
        i = end;
      }
      at += count * kPage;
    }
    return {};
  }

  // [begin, end) is all there or all absent in the page tables.
  Result<void> CopyRun(const MapsLine& line, uint64_t begin, uint64_t end, bool there) {
    // The vdso is no anonymous memory, though it has no inode.
    const bool anonymous = line.inode == 0 && line.name != "[vdso]";
    if (!there && anonymous) {
      Add(line, begin, end, OracleKind::kZero);
      return {};
    }
    while (begin < end) {
      const uint64_t wanted = std::min(kChunk, end - begin);
      uint64_t got = there || line.inode == 0 ? ReadMemory(begin, wanted)
                                              : ReadMappedFile(line, begin, wanted);
      got = got / kPage * kPage;
      if (got == 0) {
        Add(line, begin, begin + kPage, OracleKind::kUnreadable);
        begin += kPage;
        continue;
      }
      Add(line, begin, begin + got, OracleKind::kData);
      STILLFRAME_TRY(Append(got));
      begin += got;
    }
    return {};
  }

  uint64_t ReadMemory(uint64_t address, uint64_t size) {
    const iovec local{.iov_base = buffer_.data(), .iov_len = size};
    const iovec remote{.iov_base = reinterpret_cast<void*>(address), .iov_len = size};
    const ssize_t n = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    if (n > 0) return static_cast<uint64_t>(n);
    const ssize_t m = pread(memory_.get(), buffer_.data(), size, static_cast<off_t>(address));
    return m > 0 ? static_cast<uint64_t>(m) : 0;
  }

  // What the mapping would show, from the file itself.
  uint64_t ReadMappedFile(const MapsLine& line, uint64_t address, uint64_t size) {
    if (!file_) {
      char name[64];
      std::snprintf(name, sizeof(name), "/map_files/%" PRIx64 "-%" PRIx64, line.begin, line.end);
      file_.reset(open((proc_ + name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      // A device or the like: only the mapping itself can tell.
      if (!file_) return ReadMemory(address, size);
    }
    std::fill_n(buffer_.data(), size, std::byte{0});
    const off_t offset = static_cast<off_t>(line.file_offset + (address - line.begin));
    const ssize_t n = pread(file_.get(), buffer_.data(), size, offset);
    if (n < 0) return ReadMemory(address, size);
    // The last page of a file is filled with zeros up to its end.
    return (static_cast<uint64_t>(n) + kPage - 1) / kPage * kPage;
  }

  Result<void> Append(uint64_t size) {
    for (uint64_t done = 0; done < size;) {
      const ssize_t n = write(pages_.get(), buffer_.data() + done, size - done);
      if (n < 0) return FailErrno(errno, "write the copy");
      done += static_cast<uint64_t>(n);
    }
    return {};
  }

  void Add(const MapsLine& line, uint64_t begin, uint64_t end, OracleKind kind) {
    const AddressRange range{{begin}, {end}};
    const uint64_t offset = written_;
    if (kind == OracleKind::kData) written_ += end - begin;
    if (!ranges_.empty()) {
      OracleRange& last = ranges_.back();
      if (last.kind == kind && last.range.end == range.begin && last.name == line.name) {
        last.range.end = range.end;
        return;
      }
    }
    ranges_.push_back({.range = range, .kind = kind, .offset = offset, .name = line.name});
  }

  const pid_t pid_;
  const std::string proc_;
  const std::string directory_;
  const uint64_t there_;  // the bits of pagemap that say that a page is there
  std::vector<std::byte> buffer_;
  UniqueFd pagemap_;
  UniqueFd memory_;
  UniqueFd pages_;
  UniqueFd file_;  // of the mapping at hand
  uint64_t written_ = 0;
  std::vector<OracleRange> ranges_;
};

}  // namespace

Result<void> CopyMemory(pid_t pid, const std::string& directory) {
  return MemoryCopier(pid, directory).Run();
}

}  // namespace stillframe::test
