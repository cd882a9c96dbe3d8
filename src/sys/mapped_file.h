// The file behind a mapping of another process: who else maps it, and which of it is data.
#ifndef STILLFRAME_SYS_MAPPED_FILE_H_
#define STILLFRAME_SYS_MAPPED_FILE_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "stillframe/mapping.h"
#include "stillframe/target.h"
#include "stillframe/units.h"

namespace stillframe {

// A file, as /proc/PID/maps names it.
struct FileId {
  uint32_t major = 0;
  uint32_t minor = 0;
  uint64_t inode = 0;
  auto operator<=>(const FileId&) const = default;
};

inline FileId FileOf(const Mapping& mapping) {
  return {mapping.device_major, mapping.device_minor, mapping.inode};
}

// Which of `files` some process other than `pid` maps shared. Reads the maps of every process that
// it may.
std::set<FileId> FilesMappedByOthers(pid_t pid, const std::set<FileId>& files);

// The file of a mapping, by /proc/PID/map_files, which reaches deleted files and memfds too; none
// without the right to.
UniqueFd OpenMappedFile(pid_t pid, const Mapping& mapping);

// The parts of a shared mapping that its file holds data for, as addresses; reading the rest
// through the mapping would only make the kernel allocate zeros. All of the mapping where that
// can't be known (no file: -1).
// No allocation but what `found` does.
void ForEachDataRange(int file, const Mapping& mapping,
                      const std::function<void(AddressRange)>& found);

// Fills `to` from the file, as preadv(2) does: unlike reading through a mapping this leaves a hole
// a hole. No allocation.
ReadOutcome ReadMappedFile(int file, uint64_t offset, std::span<const iovec> to);

// True when the file has data for all of the bytes: no hole, and not past its end. No allocation.
bool FileHasData(int file, uint64_t offset, Bytes size);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_MAPPED_FILE_H_
