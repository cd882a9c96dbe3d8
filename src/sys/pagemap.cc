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

bool PageScanner::IsWanted(PagemapEntry entry) const {
  switch (wanted_) {
    case Wanted::kPresent:
      return entry.populated();
    case Wanted::kPresentApart:
      return entry.populated() && !entry.marker();
    case Wanted::kArmed:
      return entry.populated() && entry.armed();
  }
  return false;
}

PageScanner::PageScanner(int pagemap_fd, Wanted wanted) : fd_(pagemap_fd), wanted_(wanted) {
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

Result<void> PageScanner::Scan(AddressRange range,
                               const std::function<void(AddressRange)>& found) const {
  const auto take = [&found](AddressRange run, uint64_t /*categories*/ = 0) {
    found(run);
    return true;
  };
  return has_scan_ ? ScanByIoctl(range, kRegionsPerScan, take) : ScanByRead(range, take);
}

Result<bool> PageScanner::FindsAny(AddressRange range) const {
  bool any = false;
  const auto take = [&any](AddressRange, uint64_t /*categories*/ = 0) {
    any = true;
    return false;
  };
  STILLFRAME_TRY(has_scan_ ? ScanByIoctl(range, 1, take) : ScanByRead(range, take));
  return any;
}

Result<void> PageScanner::ScanByIoctl(
    AddressRange range, size_t at_once,
    const std::function<bool(AddressRange, uint64_t)>& found) const {
  std::array<PageRegion, kRegionsPerScan> regions;
  const uint64_t unwanted =
      wanted_ == Wanted::kArmed ? kPageIsWritten | kPageIsPfnZero : kPageIsPfnZero;
  // Each category told apart makes for more runs.
  const uint64_t told = wanted_ == Wanted::kPresentApart
                            ? kPageIsPresent | kPageIsSwapped | kPageIsHuge
                            : kPageIsPresent;
  uint64_t start = range.begin.value;
  bool more = true;
  while (more && start < range.end.value) {
    PmScanArg arg{};
    arg.size = sizeof(arg);
    arg.start = start;
    arg.end = range.end.value;
    arg.vec = reinterpret_cast<uint64_t>(regions.data());
    arg.vec_len = at_once;
    arg.category_mask = unwanted;
    arg.category_inverted = unwanted;
    arg.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
    arg.return_mask = told;
    const int n = ioctl(fd_, kPagemapScan, &arg);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == ESRCH) return Fail(ErrorCode::kTargetGone, kGoneMessage);
      return FailErrno(errno, "PAGEMAP_SCAN of the target");
    }
    for (size_t i = 0; more && i < static_cast<size_t>(n); ++i) {
      more = found({TargetAddress{regions[i].start}, TargetAddress{regions[i].end}},
                   regions[i].categories);
    }
    // A full vector may end in the middle of the walk: go on behind the last region, whatever
    // walk_end says.
    start = static_cast<size_t>(n) == at_once ? regions[at_once - 1].end : arg.end;
  }
  // The ioctl doesn't notice that an address space is gone, or going; a read of it ends at once.
  std::array<PagemapEntry, 1> entry;
  if (ReadPagemap(fd_, range.begin, entry) == 0) {
    return Fail(ErrorCode::kTargetGone, kGoneMessage);
  }
  return {};
}

Result<void> PageScanner::ScanByRead(AddressRange range,
                                     const std::function<bool(AddressRange)>& found) const {
  std::array<PagemapEntry, kEntriesPerRead> entries;
  AddressRange run{range.begin, range.begin};
  for (TargetAddress at = range.begin; at < range.end;) {
    const size_t wanted =
        std::min<size_t>(entries.size(), AddressRange{at, range.end}.pages().count);
    const size_t n = ReadPagemap(fd_, at, std::span(entries).first(wanted));
    if (n == 0) return Fail(ErrorCode::kTargetGone, kGoneMessage);
    for (size_t i = 0; i < n; ++i, at = at + kPageSize) {
      if (!IsWanted(entries[i])) continue;
      if (at != run.end) {
        if (!run.empty() && !found(run)) return {};
        run.begin = at;
      }
      run.end = at + kPageSize;
    }
  }
  if (!run.empty()) found(run);
  return {};
}

Result<void> ScanPopulated(int pagemap_fd, AddressRange range,
                           const std::function<void(const PopulatedRun&)>& found) {
  const PageScanner scanner(pagemap_fd, PageScanner::Wanted::kPresentApart);
  const auto take = [&found](AddressRange run) {
    found({.range = run});
    return true;
  };
  if (!scanner.has_scan_) return scanner.ScanByRead(range, take);
  return scanner.ScanByIoctl(range, kRegionsPerScan,
                             [&](AddressRange run, uint64_t categories) -> bool {
                               if ((categories & kPageIsPresent) != 0) {
                                 found({.range = run, .huge = (categories & kPageIsHuge) != 0});
                               } else {
                                 // The ioctl can't tell a page in swap from a mark at a hole. An
                                 // address space that went meanwhile is noticed by the scan.
                                 static_cast<void>(scanner.ScanByRead(run, take));
                               }
                               return true;
                             });
}

}  // namespace stillframe
