// The file behind a mapping of another process: who else maps it, and which of it is data.
#ifndef STILLFRAME_SYS_MAPPED_FILE_H_
#define STILLFRAME_SYS_MAPPED_FILE_H_

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <set>
#include <vector>

#include "stillframe/mapping.h"
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

// Which of `files` some process other than `pid` maps shared. Reads the maps of every process that it may.
std::set<FileId> FilesMappedByOthers(pid_t pid, const std::set<FileId>& files);

// The parts of a shared mapping that its file holds data for, as addresses; reading the rest would only make the kernel allocate zeros.
// All of the mapping where that can't be known.
std::vector<AddressRange> DataOfMapping(pid_t pid, const Mapping& mapping);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_MAPPED_FILE_H_
