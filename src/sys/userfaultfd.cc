#include "sys/userfaultfd.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace stillframe {
namespace {

UffdResult FromErrno(int error) {
  switch (error) {
    case EAGAIN:
      return {UffdOutcome::kChanging, error};
    case ENOENT:
      return {UffdOutcome::kNoMapping, error};
    case ESRCH:
      return {UffdOutcome::kGone, error};
    case EBUSY:
      return {UffdOutcome::kBusy, error};
    case EINVAL:
    case EPERM:
    case EOPNOTSUPP:
      return {UffdOutcome::kRefused, error};
    default:
      return {UffdOutcome::kFailed, error};
  }
}

template <class Argument>
UffdResult Call(int fd, unsigned long request, Argument* argument) {
  if (ioctl(fd, request, argument) == 0) return {};
  return FromErrno(errno);
}

uffdio_range ToRange(AddressRange range) {
  return {.start = range.begin.value, .len = range.size().count};
}

}  // namespace

UffdResult UffdApi(int fd, uint64_t features) {
  uffdio_api api{.api = UFFD_API, .features = features, .ioctls = 0};
  return Call(fd, UFFDIO_API, &api);
}

UffdResult UffdRegisterWriteProtect(int fd, AddressRange range) {
  uffdio_register arg{.range = ToRange(range), .mode = UFFDIO_REGISTER_MODE_WP, .ioctls = 0};
  const UffdResult result = Call(fd, UFFDIO_REGISTER, &arg);
  if (!result.ok()) return result;
  // A mapping can register and yet not know write-protection (hugetlb or shmem on kernels
  // before 5.19).
  if ((arg.ioctls & (uint64_t{1} << _UFFDIO_WRITEPROTECT)) == 0) {
    UffdUnregister(fd, range);
    return {UffdOutcome::kRefused, EOPNOTSUPP};
  }
  return result;
}

UffdResult UffdRegisterMissing(int fd, AddressRange range) {
  uffdio_register arg{.range = ToRange(range), .mode = UFFDIO_REGISTER_MODE_MISSING, .ioctls = 0};
  return Call(fd, UFFDIO_REGISTER, &arg);
}

UffdResult UffdUnregister(int fd, AddressRange range) {
  uffdio_range arg = ToRange(range);
  return Call(fd, UFFDIO_UNREGISTER, &arg);
}

UffdResult UffdProtect(int fd, AddressRange range) {
  uffdio_writeprotect arg{.range = ToRange(range), .mode = UFFDIO_WRITEPROTECT_MODE_WP};
  return Call(fd, UFFDIO_WRITEPROTECT, &arg);
}

UffdResult UffdUnprotect(int fd, AddressRange range) {
  uffdio_writeprotect arg{.range = ToRange(range), .mode = 0};
  return Call(fd, UFFDIO_WRITEPROTECT, &arg);
}

UffdResult UffdUnprotectQuietly(int fd, AddressRange range) {
  uffdio_writeprotect arg{.range = ToRange(range), .mode = UFFDIO_WRITEPROTECT_MODE_DONTWAKE};
  return Call(fd, UFFDIO_WRITEPROTECT, &arg);
}

UffdResult UffdWake(int fd, AddressRange range) {
  uffdio_range arg = ToRange(range);
  return Call(fd, UFFDIO_WAKE, &arg);
}

size_t UffdRead(int fd, std::span<uffd_msg> messages) {
  for (;;) {
    const ssize_t n = read(fd, messages.data(), messages.size_bytes());
    if (n >= 0) return static_cast<size_t>(n) / sizeof(uffd_msg);
    if (errno != EINTR) return 0;
  }
}

}  // namespace stillframe
