// Memory that io_uring writes without a fault: buffers that were registered with it are pinned, and
// write protection does not see what arrives in them.
#ifndef STILLFRAME_SYS_URING_BUFFERS_H_
#define STILLFRAME_SYS_URING_BUFFERS_H_

#include <optional>
#include <string_view>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// The buffers that /proc/PID/fdinfo/FD of an io_uring lists (io_uring/fdinfo.c in the kernel),
// widened to whole pages. None when the list is not complete: the kernel leaves it out while
// somebody is submitting.
std::optional<std::vector<AddressRange>> ParseUringBuffers(std::string_view fdinfo);

// Whether the process holds an io_uring open. Looks at the name of each descriptor, about 1 us
// each.
bool HoldsUring(int directory);

// Those of every io_uring that a process holds open; `directory`: its /proc/PID. A ring whose
// descriptor was closed after it was registered with itself (IORING_REGISTER_RING_FDS) can't be
// found. Errors: kPermission; kLimit when a ring stays too busy to list its buffers.
Result<std::vector<AddressRange>> ReadUringBuffers(int directory);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_URING_BUFFERS_H_
