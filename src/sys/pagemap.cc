#include "sys/pagemap.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sys/kernel_constants.h"

namespace stillframe {
namespace {

// With more regions in one call, walk_end was seen to lag behind what was returned (6.18), and the
// tail came twice.
constexpr size_t kRegionsPerScan = 512;
constexpr size_t kEntriesPerRead = 512;

constexpr const char* kGoneMessage = "reading the page map: the address space is gone";

}  // namespace

size_t ReadPagemap(int pagemap_fd, TargetAddress address, std::span<PagemapEntry> entries) {
  const auto offset = static_cast<off_t>(ToPages(Bytes{address.value}).count * sizeof(uint64_t));
  for (;;) {
    const ssize_t n = pread(pagemap_fd, entries.data(), entries.size_bytes(), offset);
    if (n >= 0) return static_cast<size_t>(n) / sizeof(PagemapEntry);
    if (errno != EINTR) return 0;
  }
}

ArmedPageScanner::ArmedPageScanner(int pagemap_fd) : fd_(pagemap_fd) {
  PmScanArg arg{};
  arg.size = sizeof(arg);
  arg.category_anyof_mask = kPageIsPresent;
  arg.return_mask = kPageIsPresent;
  PageRegion region{};
  arg.vec = reinterpret_cast<uint64_t>(&region);
  arg.vec_len = 1;
  // An empty range: nothing is walked, only the call's existence is asked for.
  has_scan_ = ioctl(fd_, kPagemapScan, &arg) >= 0;
}

Result<void> ArmedPageScanner::Scan(AddressRange range,
                                    const std::function<void(AddressRange)>& found) const {
  return has_scan_ ? ScanByIoctl(range, found) : ScanByRead(range, found);
}

Result<void> ArmedPageScanner::ScanByIoctl(AddressRange range,
                                           const std::function<void(AddressRange)>& found) const {
  std::array<PageRegion, kRegionsPerScan> regions;
  uint64_t start = range.begin.value;
  while (start < range.end.value) {
    PmScanArg arg{};
    arg.size = sizeof(arg);
    arg.start = start;
    arg.end = range.end.value;
    arg.vec = reinterpret_cast<uint64_t>(regions.data());
    arg.vec_len = regions.size();
    arg.category_mask = kPageIsWritten | kPageIsPfnZero;
    arg.category_inverted = kPageIsWritten | kPageIsPfnZero;
    arg.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
    arg.return_mask = kPageIsPresent;
    const int n = ioctl(fd_, kPagemapScan, &arg);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == ESRCH) return Fail(ErrorCode::kTargetGone, kGoneMessage);
      return FailErrno(errno, "PAGEMAP_SCAN of the target");
    }
    for (int i = 0; i < n; ++i) {
      const PageRegion& region = regions[static_cast<size_t>(i)];
      found({TargetAddress{region.start}, TargetAddress{region.end}});
    }
    // A full vector may end in the middle of the walk: go on behind the last region, whatever
    // walk_end says.
    start = static_cast<size_t>(n) == regions.size() ? regions.back().end : arg.end;
  }
  return {};
}

Result<void> ArmedPageScanner::ScanByRead(AddressRange range,
                                          const std::function<void(AddressRange)>& found) const {
  std::array<PagemapEntry, kEntriesPerRead> entries;
  AddressRange run{range.begin, range.begin};
  for (TargetAddress at = range.begin; at < range.end;) {
    const size_t wanted =
        std::min<size_t>(entries.size(), AddressRange{at, range.end}.pages().count);
    const size_t n = ReadPagemap(fd_, at, std::span(entries).first(wanted));
    if (n == 0) return Fail(ErrorCode::kTargetGone, kGoneMessage);
    for (size_t i = 0; i < n; ++i, at = at + kPageSize) {
      if (!entries[i].populated() || !entries[i].armed()) continue;
      if (at != run.end) {
        if (!run.empty()) found(run);
        run.begin = at;
      }
      run.end = at + kPageSize;
    }
  }
  if (!run.empty()) found(run);
  return {};
}

}  // namespace stillframe
