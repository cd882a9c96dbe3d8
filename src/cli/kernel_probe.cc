#include "cli/kernel_probe.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "cli/probe_child.h"
#include "sys/kernel_constants.h"
#include "sys/pagemap.h"

namespace stillframe {
namespace {

constexpr char kPtraceFix[] =
    "run as root, or with CAP_SYS_PTRACE; in a container add that capability and allow ptrace in "
    "its seccomp "
    "profile";

Feature MakeFeature(std::string name, bool required, std::string use, int error, std::string fix) {
  Feature feature{
      .name = std::move(name), .required = required, .use = std::move(use), .fix = std::move(fix)};
  SetOutcome(feature, error);
  return feature;
}

// Stops the child, reads its registers, lets it go; errno, or 0.
int TryPtrace(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return errno;
  int error = 0;
  int status = 0;
  user_regs_struct registers;
  iovec where = {&registers, sizeof(registers)};
  if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0 || waitpid(pid, &status, __WALL) != pid ||
      ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &where) != 0) {
    error = errno;
  }
  ptrace(PTRACE_DETACH, pid, 0, 0);
  return error;
}

int TrySuspendSeccomp(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_SUSPEND_SECCOMP) != 0) return errno;
  // A running tracee can only be let go once it has stopped.
  int status = 0;
  if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0) waitpid(pid, &status, __WALL);
  ptrace(PTRACE_DETACH, pid, 0, 0);
  return 0;
}

int TryPidfdGetfd(pid_t pid) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return errno;
  const UniqueFd taken(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), STDERR_FILENO, 0)));
  return taken ? 0 : errno;
}

int TryReading(pid_t pid) {
  char copy = 0;
  const iovec local = {&copy, 1};
  const iovec remote = {const_cast<char*>(&ProbeChild::byte()), 1};
  if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != 1) return errno;
  return copy == ProbeChild::kByte ? 0 : EIO;
}

int TryKcmp(pid_t pid) { return syscall(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0) < 0 ? errno : 0; }

int TryMemoryFile(pid_t pid) {
  const UniqueFd memory(
      open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  if (!memory) return errno;
  char copy = 0;
  const auto at = static_cast<off_t>(reinterpret_cast<uintptr_t>(&ProbeChild::byte()));
  if (pread(memory.get(), &copy, 1, at) != 1) return errno;
  return copy == ProbeChild::kByte ? 0 : EIO;
}

TargetAddress PageOfByte() {
  const auto address = reinterpret_cast<uintptr_t>(&ProbeChild::byte());
  return {address & ~(kPageSize.count - 1)};
}

// The entry of a page that is there for sure.
int TryPagemap(pid_t pid, bool frames) {
  const UniqueFd pagemap(
      open(("/proc/" + std::to_string(pid) + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap) return errno;
  std::array<PagemapEntry, 1> entry;
  if (ReadPagemap(pagemap.get(), PageOfByte(), entry) != 1) return errno != 0 ? errno : EIO;
  if (!entry[0].present()) return ENODATA;
  // Without the capability the kernel shows zeros there.
  return frames && entry[0].frame() == 0 ? EPERM : 0;
}

int TryPagemapScan() {
  const UniqueFd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!pagemap) return errno;
  PageRegion found = {};
  PmScanArg scan = {};
  scan.size = sizeof(scan);
  scan.start = PageOfByte().value;
  scan.end = scan.start + kPageSize.count;
  scan.vec = reinterpret_cast<uintptr_t>(&found);
  scan.vec_len = 1;
  scan.category_mask = kPageIsPresent;
  scan.return_mask = kPageIsPresent;
  return ioctl(pagemap.get(), kPagemapScan, &scan) < 0 ? errno : 0;
}

int TryUnnamedFile() {
  const UniqueFd file(open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  return file ? 0 : errno;
}

// CAP_SYS_PTRACE among the effective capabilities. Trying it would take a process of another user,
// which not everybody can make.
int TryPtraceCapability() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("CapEff:")) continue;
    const uint64_t effective = std::strtoull(line.c_str() + 7, nullptr, 16);
    return (effective >> CAP_SYS_PTRACE & 1) != 0 ? 0 : EPERM;
  }
  return ENODATA;
}

// For the detail of a refusal: the usual culprit.
std::string YamaScope() {
  std::ifstream file("/proc/sys/kernel/yama/ptrace_scope");
  std::string scope;
  return file >> scope ? "kernel.yama.ptrace_scope is " + scope : "no Yama";
}

}  // namespace

std::string_view FeatureStateName(FeatureState state) {
  switch (state) {
    case FeatureState::kPresent:
      return "present";
    case FeatureState::kMissing:
      return "missing";
    case FeatureState::kDenied:
      return "denied";
  }
  return "missing";
}

void SetOutcome(Feature& feature, int error) {
  if (error == 0) {
    feature.state = FeatureState::kPresent;
    return;
  }
  feature.state =
      error == EPERM || error == EACCES ? FeatureState::kDenied : FeatureState::kMissing;
  feature.detail = std::generic_category().message(error);
}

std::vector<Feature> ProbeOtherProcess() {
  const auto child = ProbeChild::Start();
  if (!child) {
    Feature failed = MakeFeature("another process", true, "trying ptrace on it", EIO, kPtraceFix);
    failed.detail = child.error().message;
    return {std::move(failed)};
  }
  const pid_t pid = child->pid();
  std::vector<Feature> features;
  features.push_back(
      MakeFeature("ptrace", true, "stopping the target", TryPtrace(pid), kPtraceFix));
  features.back().detail += (features.back().detail.empty() ? "" : "; ") + YamaScope();
  features.push_back(MakeFeature("CAP_SYS_PTRACE", false, "targets of other users",
                                 TryPtraceCapability(), kPtraceFix));
  features.push_back(MakeFeature("PTRACE_O_SUSPEND_SECCOMP", false, "targets under seccomp",
                                 TrySuspendSeccomp(pid),
                                 "run as root (CAP_SYS_ADMIN) and not under seccomp yourself"));
  features.push_back(MakeFeature("pidfd_getfd", true, "taking the userfaultfd out of the target",
                                 TryPidfdGetfd(pid), kPtraceFix));
  features.push_back(MakeFeature("process_vm_readv", true, "copying the target's pages",
                                 TryReading(pid), kPtraceFix));
  features.push_back(MakeFeature("/proc/PID/mem", true, "copying PROT_NONE pages",
                                 TryMemoryFile(pid), kPtraceFix));
  features.push_back(MakeFeature("/proc/PID/pagemap", true, "proving that a copy is good",
                                 TryPagemap(pid, false), kPtraceFix));
  features.push_back(MakeFeature("kcmp", true, "finding processes that share the memory",
                                 TryKcmp(pid), kPtraceFix));
  features.push_back(MakeFeature("page frame numbers", false, "telling zero pages apart",
                                 TryPagemap(pid, true), "run as root (CAP_SYS_ADMIN)"));
  return features;
}

std::vector<Feature> ProbeKernel() {
  std::vector<Feature> features = ProbeUserfaultfd();
  for (Feature& feature : ProbeOtherProcess()) features.push_back(std::move(feature));
  features.push_back(MakeFeature("PAGEMAP_SCAN", false, "finding populated pages faster",
                                 TryPagemapScan(), "a newer kernel has it"));
  features.push_back(MakeFeature("O_TMPFILE here", false,
                                 "an image without a name until it is complete; else IMAGE.partial",
                                 TryUnnamedFile(), "choose another file system or directory"));
  return features;
}

}  // namespace stillframe
