// One mapping of the target, as /proc/PID/maps and smaps tell it.
#ifndef STILLFRAME_MAPPING_H_
#define STILLFRAME_MAPPING_H_

#include <cstdint>
#include <string>

#include "stillframe/units.h"

namespace stillframe {

struct Mapping {
  AddressRange range;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  uint64_t file_offset = 0;  // bytes
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t inode = 0;
  // As the kernel prints it: a path, "[heap]", "[stack]", "[anon:NAME]", or empty. Raw bytes,
  // escapes undone.
  std::string name;

  // What only smaps knows; see /proc/PID/smaps in the kernel's documentation.
  bool has_details = false;
  Bytes kernel_page_size = kPageSize;  // 2 MiB or 1 GiB for hugetlb
  Bytes resident{0};
  Bytes anonymous{0};  // of it private to the process; more than zero for a file that was written
  Bytes swapped{0};
  bool dont_dump = false;  // VmFlags dd: MADV_DONTDUMP
  bool io = false;         // VmFlags io: device memory
  bool hugetlb = false;    // VmFlags ht
  bool mergeable = false;  // VmFlags mg: MADV_MERGEABLE or PR_SET_MEMORY_MERGE
  bool tracked = false;    // VmFlags um, uw or ui: a userfaultfd is registered on it already

  bool has_file() const { return inode != 0; }
  bool operator==(const Mapping&) const = default;
};

}  // namespace stillframe

#endif  // STILLFRAME_MAPPING_H_
