#include "store/direct_alignment.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <bit>

namespace stillframe {

DirectAlignment FindDirectAlignment(int fd) {
  struct statx status {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
      (status.stx_mask & STATX_DIOALIGN) != 0) {
    const DirectAlignment told{.memory = status.stx_dio_mem_align,
                               .offset = status.stx_dio_offset_align};
    const bool sound = std::has_single_bit(told.memory) && std::has_single_bit(told.offset);
    return sound ? told : DirectAlignment{};
  }
  struct statfs system {};
  if (fstatfs(fd, &system) != 0) return {};
  const bool able = system.f_type == EXT4_SUPER_MAGIC || system.f_type == XFS_SUPER_MAGIC;
  return able ? DirectAlignment{.memory = 4096, .offset = 4096} : DirectAlignment{};
}

}  // namespace stillframe
