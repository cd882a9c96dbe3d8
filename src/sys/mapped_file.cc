#include "sys/mapped_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "sys/process_status.h"

namespace stillframe {
namespace {

// Adds to `found` those of `files` that one process maps shared.
void AddSharedFiles(const std::string& maps_path, const std::set<FileId>& files,
                    std::set<FileId>* found) {
  std::ifstream maps(maps_path);
  for (std::string line; std::getline(maps, line);) {
    char permissions[5] = {};
    FileId file;
    // begin-end perms offset major:minor inode
    const int fields = std::sscanf(
        line.c_str(), "%*[0-9a-f]-%*[0-9a-f] %4s %*[0-9a-f] %" SCNx32 ":%" SCNx32 " %" SCNu64,
        permissions, &file.major, &file.minor, &file.inode);
    if (fields == 4 && permissions[3] == 's' && files.contains(file)) found->insert(file);
  }
}

}  // namespace

std::set<FileId> FilesMappedByOthers(pid_t pid, const std::set<FileId>& files) {
  std::set<FileId> found;
  if (files.empty()) return found;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  if (!proc) return files;  // unknown: be careful with all of them
  while (const dirent* entry = readdir(proc.get())) {
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
    if (std::atoi(entry->d_name) == pid) continue;
    AddSharedFiles(std::string("/proc/") + entry->d_name + "/maps", files, &found);
  }
  return found;
}

UniqueFd OpenMappedFile(pid_t pid, const Mapping& mapping) {
  char path[96];
  std::snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, LiveThreadOf(pid),
                mapping.range.begin.value, mapping.range.end.value);
  return UniqueFd(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

ReadOutcome ReadMappedFile(int file, uint64_t offset, std::span<const iovec> to) {
  uint64_t done = 0;
  for (const iovec& part : to) {
    for (size_t in_part = 0; in_part < part.iov_len;) {
      const ssize_t n = pread(file, static_cast<char*>(part.iov_base) + in_part,
                              part.iov_len - in_part, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return {.copied = {done}, .error = n < 0 ? errno : ENXIO};
      in_part += static_cast<size_t>(n);
      done += static_cast<uint64_t>(n);
    }
  }
  return {.copied = {done}, .error = 0};
}

bool FileHasData(int file, uint64_t offset, Bytes size) {
  const off_t hole = lseek(file, static_cast<off_t>(offset), SEEK_HOLE);
  return hole >= 0 && static_cast<uint64_t>(hole) >= offset + size.count;
}

void ForEachDataRange(int file, const Mapping& mapping,
                      const std::function<void(AddressRange)>& found) {
  if (file < 0) return found(mapping.range);
  const auto first = static_cast<off_t>(mapping.file_offset);
  const auto end = first + static_cast<off_t>(mapping.range.size().count);
  for (off_t at = first; at < end;) {
    const off_t data = lseek(file, at, SEEK_DATA);
    if (data < 0 && errno != ENXIO)
      return found(
          {mapping.range.begin + Bytes{static_cast<uint64_t>(at - first)}, mapping.range.end});
    if (data < 0 || data >= end) break;
    off_t hole = lseek(file, data, SEEK_HOLE);
    if (hole < 0 || hole > end) hole = end;
    const uint64_t mask = kPageSize.count - 1;
    const uint64_t begin = static_cast<uint64_t>(data - first) & ~mask;
    const uint64_t stop = (static_cast<uint64_t>(hole - first) + mask) & ~mask;
    found({mapping.range.begin + Bytes{begin}, mapping.range.begin + Bytes{stop}});
    at = hole;
  }
}

}  // namespace stillframe
