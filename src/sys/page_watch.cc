#include "sys/page_watch.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sys/kernel_constants.h"
#include "sys/pagemap.h"

namespace stillframe {
namespace {

using Regions = std::array<PageRegion, PageWatch::kMostRuns>;

// Where nothing is found the steps grow, or the calls over a huge reserved range would take
// seconds. Not beyond this: dense memory that nobody writes is walked with the target's mmap lock
// held.
constexpr uint64_t kLargestStep = MiB(256).count;

AddressRange RangeOf(const PageRegion& region) {
  return {TargetAddress{region.start}, TargetAddress{region.end}};
}

// Fills `regions`; how many, and in `next` where to go on: with more regions than asked for, what
// the kernel says of it was seen to be wrong (6.18).
Result<std::span<const PageRegion>> Scan(int fd, PmScanArg arg, Regions* regions,
                                         TargetAddress* next) {
  arg.size = sizeof(arg);
  arg.vec = reinterpret_cast<uint64_t>(regions->data());
  arg.vec_len = regions->size();
  for (;;) {
    const int n = ioctl(fd, kPagemapScan, &arg);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ESRCH) return Fail(ErrorCode::kTargetGone, "the address space is gone");
    if (n < 0) return FailErrno(errno, "PAGEMAP_SCAN of the target", {}, ErrorCode::kUnsupported);
    const std::span<const PageRegion> found(regions->data(), static_cast<size_t>(n));
    uint64_t pages = 0;
    for (const PageRegion& region : found) pages += RangeOf(region).pages().count;
    const bool full =
        found.size() == regions->size() || (arg.max_pages != 0 && pages >= arg.max_pages);
    *next = {full ? found.back().end : arg.end};
    return found;
  }
}

}  // namespace

Result<void> PageWatch::CheckThere() const {
  // A read of any address ends at once.
  std::array<PagemapEntry, 1> entry;
  if (ReadPagemap(fd_, TargetAddress{0}, entry) == 1) return {};
  return Fail(ErrorCode::kTargetGone, "reading the page map: the address space is gone");
}

Result<void> PageWatch::Arm(
    AddressRange range, Which which, bool of_file,
    const std::function<Result<void>(std::span<const AddressRange>)>& armed) const {
  PmScanArg arg{};
  // Without kPmScanCheckWpAsync: what is not registered is passed over, and need not end the scan.
  arg.flags = kPmScanWpMatching;
  arg.category_inverted = kPageIsPfnZero | (of_file ? kPageIsFile : 0);
  arg.category_mask =
      kPageIsWpAllowed | arg.category_inverted | (which == Which::kWritten ? kPageIsWritten : 0);
  arg.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
  // No more categories than that, or runs would end where they differ.
  arg.return_mask = kPageIsWpAllowed;
  // A limit that is reached inside a huge page splits it. Steps at multiples of their size don't
  // reach it, but for the first one behind a hole.
  arg.max_pages = ToPages(kMostAtOnce).count;
  Regions regions;
  std::array<AddressRange, kMostRuns> runs;
  uint64_t step = kMostAtOnce.count;
  for (TargetAddress at = range.begin; at < range.end;) {
    arg.start = at.value;
    arg.end = std::min(range.end.value, (at.value / step + 1) * step);
    STILLFRAME_ASSIGN(const std::span<const PageRegion> found, Scan(fd_, arg, &regions, &at));
    step = found.empty() ? std::min(kLargestStep, step * 2) : kMostAtOnce.count;
    if (found.empty()) continue;
    std::ranges::transform(found, runs.begin(), RangeOf);
    STILLFRAME_TRY(armed(std::span(runs).first(found.size())));
  }
  return CheckThere();
}

Result<void> PageWatch::FindChanged(AddressRange range, bool of_file, Bytes step,
                                    const std::function<void(const WatchedRun&)>& found) const {
  PmScanArg arg{};
  const uint64_t of_file_bit = of_file ? kPageIsFile : 0;
  arg.category_inverted = kPageIsPresent | kPageIsWpAllowed;
  arg.category_anyof_mask = kPageIsWritten | kPageIsPresent | kPageIsWpAllowed | of_file_bit;
  arg.return_mask = kPageIsWpAllowed | kPageIsWritten | kPageIsPresent | kPageIsSwapped |
                    kPageIsPfnZero | of_file_bit;
  Regions regions;
  for (TargetAddress at = range.begin; at < range.end;) {
    arg.start = at.value;
    arg.end = (range.end - at) > step ? (at + step).value : range.end.value;
    STILLFRAME_ASSIGN(const std::span<const PageRegion> changed, Scan(fd_, arg, &regions, &at));
    for (const PageRegion& region : changed) {
      const auto is = [&region](uint64_t bit) { return (region.categories & bit) != 0; };
      found({.range = RangeOf(region),
             .watched = is(kPageIsWpAllowed),
             .written = is(kPageIsWritten),
             .present = is(kPageIsPresent),
             .swapped = is(kPageIsSwapped),
             .zero = is(kPageIsPfnZero),
             .of_file = is(kPageIsFile)});
    }
  }
  return {};
}

Result<bool> PageWatch::IsWatched(AddressRange range) const {
  PmScanArg arg{};
  arg.start = range.begin.value;
  arg.end = range.end.value;
  // Asked for in this way, the kernel passes over registered memory without a walk.
  arg.category_inverted = kPageIsWpAllowed;
  arg.category_mask = kPageIsWpAllowed;
  arg.return_mask = kPageIsWpAllowed;
  arg.max_pages = 1;
  Regions regions;
  TargetAddress next;
  STILLFRAME_ASSIGN(const std::span<const PageRegion> found, Scan(fd_, arg, &regions, &next));
  return found.empty();
}

}  // namespace stillframe
