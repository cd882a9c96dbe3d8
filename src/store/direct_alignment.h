// What a file system asks of writes that go past the page cache.
#ifndef STILLFRAME_STORE_DIRECT_ALIGNMENT_H_
#define STILLFRAME_STORE_DIRECT_ALIGNMENT_H_

#include <cstdint>

namespace stillframe {

// Both powers of two, in bytes.
struct DirectAlignment {
  uint32_t memory = 0;  // of the buffer's address
  uint32_t offset = 0;  // of the place in the file and of the length
  bool known() const { return memory != 0 && offset != 0; }
};

// `fd`: a regular file. Unknown where the file system can't write past the page cache, or doesn't
// tell: some take the flag and write through the page cache all the same (tmpfs, from Linux 6.6
// on), so that being allowed to set it proves nothing. What can't tell because the kernel is older
// (before 6.1) is taken at 4096 if it is ext4 or XFS.
DirectAlignment FindDirectAlignment(int fd);

}  // namespace stillframe

#endif  // STILLFRAME_STORE_DIRECT_ALIGNMENT_H_
