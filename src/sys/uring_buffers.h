// Memory that io_uring writes without a fault: buffers that were registered with it are pinned, and
// write protection does not see what arrives in them.
#ifndef STILLFRAME_SYS_URING_BUFFERS_H_
#define STILLFRAME_SYS_URING_BUFFERS_H_

#include <sys/types.h>

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// The buffers that /proc/PID/fdinfo/FD of an io_uring lists (io_uring/fdinfo.c in the kernel),
// widened to whole pages. None when the list is not complete: the kernel leaves it out while
// somebody is submitting.
std::optional<std::vector<AddressRange>> ParseUringBuffers(std::string_view fdinfo);

// A ring, by a descriptor of it in the table of one thread.
struct UringDescriptor {
  pid_t thread = 0;
  int fd = -1;
};

// The rings that a process holds open, in all its descriptor tables; `directory`: its /proc/PID.
// Looks at the name of each descriptor: up to 20 us each when there are thousands. A ring whose
// descriptor was closed after it was registered with itself (IORING_REGISTER_RING_FDS) can't be
// found. Errors: kPermission.
Result<std::vector<UringDescriptor>> FindUrings(int directory);

// The buffers registered with them. Rings that were closed meanwhile have none. Errors:
// kPermission; kLimit when a ring stays too busy to list its buffers.
Result<std::vector<AddressRange>> ReadUringBuffers(int directory,
                                                   std::span<const UringDescriptor> rings);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_URING_BUFFERS_H_
