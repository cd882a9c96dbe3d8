#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/unique_fd.h"
#include "cli/kernel_probe.h"
#include "sys/kernel_constants.h"
#include "sys/pagemap.h"
#include "sys/userfaultfd.h"

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

namespace stillframe {
namespace {

constexpr char kKernelFix[] =
    "run as root, on a kernel built with CONFIG_USERFAULTFD (Debian's are)";

struct Attempt {
  UniqueFd fd;
  int error = 0;
};

Attempt BySyscall() {
  UniqueFd fd(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
  const int error = fd ? 0 : errno;
  return {std::move(fd), error};
}

Attempt ByDevice() {
  const UniqueFd device(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
  if (!device) return {{}, errno};
  UniqueFd fd(ioctl(device.get(), USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK));
  const int error = fd ? 0 : errno;
  return {std::move(fd), error};
}

// As the target module does it; the error is that of the system call, which says denied where the
// device may be missing.
Attempt AnyUserfaultfd() {
  Attempt by_syscall = BySyscall();
  if (by_syscall.fd) return by_syscall;
  Attempt by_device = ByDevice();
  return by_device.fd ? std::move(by_device) : std::move(by_syscall);
}

// errno of a handshake that asks for `features`, 0 when it is granted.
int TryFeatures(uint64_t features) {
  const Attempt attempt = AnyUserfaultfd();
  return attempt.fd ? UffdApi(attempt.fd.get(), features).error : attempt.error;
}

// A page that is unmapped again.
class ProbePage {
 public:
  explicit ProbePage(int flags)
      : address_(
            mmap(nullptr, kPageSize.count, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0)) {
    if (address_ != MAP_FAILED) *static_cast<volatile char*>(address_) = 1;
  }
  ProbePage(const ProbePage&) = delete;
  ProbePage& operator=(const ProbePage&) = delete;
  ~ProbePage() {
    if (address_ != MAP_FAILED) munmap(address_, kPageSize.count);
  }
  bool ok() const { return address_ != MAP_FAILED; }
  AddressRange range() const {
    const TargetAddress begin{reinterpret_cast<uint64_t>(address_)};
    return {begin, begin + kPageSize};
  }

 private:
  void* address_;
};

// Arms a page for real and looks whether pagemap tells; errno, or 0.
int TryArming(uint64_t features, int map_flags) {
  const ProbePage page(map_flags);
  const Attempt attempt = AnyUserfaultfd();
  const int fd = attempt.fd.get();
  const UniqueFd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!attempt.fd) return attempt.error;
  if (!page.ok()) return ENOMEM;
  for (const UffdResult result : {UffdApi(fd, features), UffdRegisterWriteProtect(fd, page.range()),
                                  UffdProtect(fd, page.range())}) {
    if (!result.ok()) return result.error != 0 ? result.error : EINVAL;
  }
  std::array<PagemapEntry, 1> entry;
  const bool seen = ReadPagemap(pagemap.get(), page.range().begin, entry) == 1 && entry[0].armed();
  UffdUnprotect(fd, page.range());
  return seen ? 0 : ENODATA;
}

Feature MakeFeature(std::string name, bool required, std::string use, int error, std::string fix) {
  Feature feature{
      .name = std::move(name), .required = required, .use = std::move(use), .fix = std::move(fix)};
  SetOutcome(feature, error);
  return feature;
}

// A descriptor may come either way; one of them is enough for targets of root.
std::vector<Feature> ProbeDescriptor() {
  const Attempt by_syscall = BySyscall();
  const Attempt by_device = ByDevice();
  std::vector<Feature> features;
  const bool either = by_syscall.fd || by_device.fd;
  features.push_back(MakeFeature("userfaultfd", true, "write-protecting the target's pages",
                                 either ? 0 : by_syscall.error, kKernelFix));
  features.push_back(MakeFeature("userfaultfd(2)", false, "targets of root", by_syscall.error,
                                 "run as root (CAP_SYS_PTRACE)"));
  features.push_back(
      MakeFeature("/dev/userfaultfd", false, "targets of any other user", by_device.error,
                  "run as root; the device needs a kernel of 6.1 or later and a /dev that "
                  "has it (mknod it with the minor number in /proc/misc)"));
  return features;
}

struct Named {
  const char* name;
  uint64_t bit;
  bool required;
  const char* use;
};
constexpr Named kFeatures[] = {
    {"UFFD_FEATURE_EVENT_REMAP", UFFD_FEATURE_EVENT_REMAP, true, "following mremap"},
    {"UFFD_FEATURE_EVENT_REMOVE", UFFD_FEATURE_EVENT_REMOVE, true, "saving before MADV_DONTNEED"},
    {"UFFD_FEATURE_EVENT_UNMAP", UFFD_FEATURE_EVENT_UNMAP, true, "knowing what munmap took"},
    {"UFFD_FEATURE_THREAD_ID", UFFD_FEATURE_THREAD_ID, true, "telling whose fault it is"},
    {"UFFD_FEATURE_WP_UNPOPULATED", kUffdFeatureWpUnpopulated, false, "arming holes"},
    {"UFFD_FEATURE_WP_ASYNC", kUffdFeatureWpAsync, false,
     "--via precopy, and the write rate of --dry-run"},
    {"UFFD_FEATURE_POISON", kUffdFeaturePoison, false, "telling a target that a page is gone"},
};

}  // namespace

std::vector<Feature> ProbeUserfaultfd() {
  std::vector<Feature> features = ProbeDescriptor();
  const std::string newer = "run as root; a newer kernel has it";
  features.push_back(MakeFeature("write-protect mode", true, "arming private memory",
                                 TryArming(UFFD_FEATURE_PAGEFAULT_FLAG_WP, MAP_PRIVATE),
                                 kKernelFix));
  features.push_back(MakeFeature(
      "UFFD_FEATURE_WP_HUGETLBFS_SHMEM", false,
      "arming shared and hugetlb memory; else it is copied inside the pause",
      TryArming(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM, MAP_SHARED),
      newer));
  for (const Named& named : kFeatures) {
    features.push_back(MakeFeature(named.name, named.required, named.use, TryFeatures(named.bit),
                                   named.required ? kKernelFix : newer));
  }
  return features;
}

}  // namespace stillframe
