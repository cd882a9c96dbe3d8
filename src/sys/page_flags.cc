#include "sys/page_flags.h"

#include <fcntl.h>
#include <unistd.h>

namespace stillframe {
namespace {

constexpr int kKsmBit = 21;  // KPF_KSM

}  // namespace

PageFlags::PageFlags() : fd_(open("/proc/kpageflags", O_RDONLY | O_CLOEXEC)) {}

bool PageFlags::IsMerged(const PagemapEntry& entry) const {
  if (!fd_ || entry.frame() == 0) return false;
  uint64_t flags = 0;
  const auto offset = static_cast<off_t>(entry.frame() * sizeof(flags));
  if (pread(fd_.get(), &flags, sizeof(flags), offset) != sizeof(flags)) return false;
  return (flags >> kKsmBit & 1) != 0;
}

}  // namespace stillframe
