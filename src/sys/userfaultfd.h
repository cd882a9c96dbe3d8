// The ioctls of a userfaultfd, typed. What errno means is decided here, once.
// Documentation/admin-guide/mm/userfaultfd.rst.
#ifndef STILLFRAME_SYS_USERFAULTFD_H_
#define STILLFRAME_SYS_USERFAULTFD_H_

#include <cstdint>
#include <span>

#include "stillframe/units.h"

struct uffd_msg;

namespace stillframe {

enum class UffdOutcome {
  kDone,
  kChanging,   // EAGAIN: a non-fault event is unread, or the mappings are changing; read events,
               // retry
  kNoMapping,  // ENOENT: nothing registered (any more) in the range
  kGone,       // ESRCH: the address space is gone
  kBusy,       // EBUSY: another userfaultfd is registered there
  kRefused,    // EINVAL, EPERM: this kind of mapping, or this feature, can't be had
  kFailed,     // anything else
};

struct UffdResult {
  UffdOutcome outcome = UffdOutcome::kDone;
  int error = 0;  // errno
  bool ok() const { return outcome == UffdOutcome::kDone; }
};

// No allocation in any of these; any thread.

// The handshake, once for each descriptor; kRefused when a feature is unknown (then it may be tried
// again with fewer).
UffdResult UffdApi(int fd, uint64_t features);
UffdResult UffdRegisterWriteProtect(int fd, AddressRange range);
// Takes the place of an earlier registration for write-protection.
UffdResult UffdRegisterMissing(int fd, AddressRange range);
UffdResult UffdUnregister(int fd, AddressRange range);
// The range must lie in registered mappings without a gap.
UffdResult UffdProtect(int fd, AddressRange range);
// Opens and wakes whoever waits in the range.
UffdResult UffdUnprotect(int fd, AddressRange range);
// Opens; whoever waits in the range goes on waiting until it is woken, whatever has become of its
// page.
UffdResult UffdUnprotectQuietly(int fd, AddressRange range);
UffdResult UffdWake(int fd, AddressRange range);
// How many messages were read: 0 when none waits. The descriptor is O_NONBLOCK.
size_t UffdRead(int fd, std::span<uffd_msg> messages);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_USERFAULTFD_H_
