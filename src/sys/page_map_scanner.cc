#include "sys/page_map_scanner.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/unique_fd.h"
#include "sys/kernel_constants.h"

namespace stillframe {
namespace {

using Between = PageMapScanner::Between;

// With more regions in one call, walk_end was seen to lag behind what was returned (6.18), and the
// tail came twice.
constexpr size_t kRegionsPerScan = 512;
constexpr size_t kEntriesPerRead = 4096;
// Enough to see whether there is any page.
constexpr size_t kFirstEntries = 512;

// Gaps up to which one call over two ranges is quicker than two (page_map_bench --gaps 1). A call
// costs 1 us, and what it walks: a page of 4 KiB 3 to 4 ns by the ioctl, 10 to 20 ns by a read. The
// ioctl passes over what is empty, a read is told of each absent page: 5 ns.
constexpr Bytes kScannedGap = KiB(256);
constexpr Bytes kReadGap = KiB(64);
constexpr Bytes kReadEmptyGap = KiB(512);
// The target's mmap lock is held while a call walks.
constexpr Bytes kMostJoined = MiB(64);

AddressRange RangeOf(const PageRegion& region) {
  return {TargetAddress{region.start}, TargetAddress{region.end}};
}

bool HasScan(int fd) {
  PmScanArg arg{};
  arg.size = sizeof(arg);
  arg.category_anyof_mask = kPageIsPresent;
  arg.return_mask = kPageIsPresent;
  PageRegion region{};
  arg.vec = reinterpret_cast<uint64_t>(&region);
  arg.vec_len = 1;
  // An empty range: nothing is walked, only the call's existence is asked for.
  return ioctl(fd, kPagemapScan, &arg) >= 0;
}

tl::unexpected<Error> FailGone() {
  return Fail(ErrorCode::kTargetGone, "reading the page map: the address space is gone");
}

// There is one for the whole machine: what is mapped where memory is read that nobody wrote to.
// Without CAP_SYS_ADMIN no frame is told, which is 0.
uint64_t FrameOfZeroPage() {
  const UniqueFd own(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  void* page = mmap(nullptr, kPageSize.count, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 0;
  // Beside other memory like it this could be part of a huge page, which is another one for a
  // while.
  madvise(page, kPageSize.count, MADV_NOHUGEPAGE);
  static_cast<void>(*static_cast<const volatile char*>(page));
  std::array<PagemapEntry, 1> entry;
  const size_t known = ReadPagemap(own.get(), {reinterpret_cast<uint64_t>(page)}, entry);
  munmap(page, kPageSize.count);
  return known == 1 ? entry[0].frame() : 0;
}

// Asked once: scanners are made in pauses too.
uint64_t ZeroFrame() {
  static const uint64_t frame = FrameOfZeroPage();
  return frame;
}

// How many of the ranges, from the first on, are to be asked about in one call.
size_t CountJoined(std::span<const AddressRange> ranges, Between between) {
  size_t count = 1;
  for (Bytes size = ranges[0].size(); count < ranges.size(); ++count) {
    size += ranges[count].size();
    if (size > kMostJoined) break;
    const Bytes gap = ranges[count].begin - ranges[count - 1].end;
    if (between == Between::kAnything && gap > kScannedGap) break;
  }
  return count;
}

// What one read covers, from `at` on, which lies in the first of the ranges.
AddressRange Window(TargetAddress at, std::span<const AddressRange> ranges, Between between,
                    size_t entries) {
  const Bytes bridged = between == Between::kNothing ? kReadEmptyGap : kReadGap;
  const TargetAddress furthest = at + ToBytes(Pages{entries});
  TargetAddress end = ranges[0].end;
  for (size_t i = 1; i < ranges.size() && end < furthest; ++i) {
    if (ranges[i].begin - end > bridged || ranges[i].begin >= furthest) break;
    end = ranges[i].end;
  }
  return {at, std::min(end, furthest)};
}

}  // namespace

// Cuts what was found to the ranges that were asked for, and joins what is alike.
class PageMapScanner::Runs {
 public:
  // Both outlive it. Without `found` nothing is told but whether there is any.
  Runs(std::span<const AddressRange> ranges, uint64_t told, const Found* found)
      : ranges_(ranges), told_(told), found_(found) {}

  // What comes after all that came before. False: no more is wanted.
  bool Add(AddressRange run, uint64_t categories) {
    while (first_ < ranges_.size() && ranges_[first_].end <= run.begin) ++first_;
    for (size_t i = first_; i < ranges_.size() && ranges_[i].begin < run.end; ++i) {
      const AddressRange part = Intersect(run, ranges_[i]);
      if (!part.empty()) AddPart(part, i, categories & told_);
    }
    return wants_more();
  }
  bool wants_more() const { return found_ != nullptr || !any(); }
  // Gives the last one. After it, nothing is added.
  void Finish() const {
    if (any() && found_ != nullptr) Give();
  }
  bool any() const { return !run_.empty(); }

 private:
  void AddPart(AddressRange part, size_t in, uint64_t categories) {
    if (any() && part.begin == run_.end && in == in_ && categories == categories_) {
      run_.end = part.end;
      return;
    }
    Finish();
    run_ = part;
    in_ = in;
    categories_ = categories;
  }
  void Give() const {
    const auto is = [this](uint64_t bit) { return (categories_ & bit) != 0; };
    (*found_)({.range = run_,
               .zero = is(kPageIsPfnZero),
               .swapped = is(kPageIsSwapped),
               .of_file = is(kPageIsFile),
               .huge = is(kPageIsHuge),
               .written = is(kPageIsWritten)});
  }

  const std::span<const AddressRange> ranges_;
  const uint64_t told_;
  const Found* const found_;
  size_t first_ = 0;  // no earlier range is of interest any more
  AddressRange run_;  // not given yet
  size_t in_ = 0;     // its range
  uint64_t categories_ = 0;
};

PageMapScanner::PageMapScanner(int pagemap_fd, const PageQuery& query)
    : fd_(pagemap_fd),
      query_(query),
      told_((query.zero ? kPageIsPfnZero : 0) | (query.swapped ? kPageIsSwapped : 0) |
            (query.of_file ? kPageIsFile : 0) | (query.huge ? kPageIsHuge : 0) |
            (query.written ? kPageIsWritten : 0)),
      has_scan_(HasScan(pagemap_fd)) {
  if (!has_scan_) zero_frame_ = ZeroFrame();
}

void PageMapScanner::ForceWindows() {
  has_scan_ = false;
  zero_frame_ = ZeroFrame();
}

Result<void> PageMapScanner::Scan(AddressRange range, const Found& found) const {
  return Scan({&range, 1}, Between::kAnything, found);
}

Result<void> PageMapScanner::Scan(std::span<const AddressRange> ranges, Between between,
                                  const Found& found) const {
  Runs runs(ranges, told_, &found);
  STILLFRAME_TRY(has_scan_ ? ByIoctl(ranges, between, kRegionsPerScan, &runs)
                           : ByWindows(ranges, between, kEntriesPerRead, &runs));
  runs.Finish();
  return {};
}

Result<bool> PageMapScanner::FindsAny(AddressRange range) const {
  const std::span<const AddressRange> ranges(&range, 1);
  Runs runs(ranges, told_, nullptr);
  STILLFRAME_TRY(has_scan_ ? ByIoctl(ranges, Between::kAnything, 1, &runs)
                           : ByWindows(ranges, Between::kAnything, kFirstEntries, &runs));
  return runs.any();
}

Result<void> PageMapScanner::ByIoctl(std::span<const AddressRange> ranges, Between between,
                                     size_t at_once, Runs* runs) const {
  std::array<PageRegion, kRegionsPerScan> regions;
  PmScanArg arg{};
  arg.size = sizeof(arg);
  arg.vec = reinterpret_cast<uint64_t>(regions.data());
  arg.category_mask = (query_.armed_only ? kPageIsWritten : 0) | (query_.zero ? 0 : kPageIsPfnZero);
  arg.category_inverted = arg.category_mask;
  arg.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
  // Each category told apart makes for more regions.
  arg.return_mask = told_ | (query_.marks ? 0 : kPageIsSwapped);
  // One region may be long; a mark is none, in the end.
  if (at_once == 1 && query_.marks) arg.max_pages = 1;
  for (bool more = true; more && !ranges.empty();) {
    const size_t joined = CountJoined(ranges, between);
    arg.start = ranges.front().begin.value;
    arg.end = ranges[joined - 1].end.value;
    while (more && arg.start < arg.end) {
      // The kernel allocates as many as are asked for.
      const uint64_t pages = ToPages(Bytes{arg.end - arg.start}).count;
      arg.vec_len = std::min<uint64_t>(at_once, pages);
      const int n = ioctl(fd_, kPagemapScan, &arg);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == ESRCH) return FailGone();
      if (n < 0) return FailErrno(errno, "PAGEMAP_SCAN of the target");
      const auto found = std::span<const PageRegion>(regions).first(static_cast<size_t>(n));
      more = Take(found, runs);
      // A full vector may end in the middle of the walk: go on behind the last region, whatever
      // walk_end says.
      arg.start = found.size() == arg.vec_len ? found.back().end : arg.end;
    }
    ranges = ranges.subspan(joined);
  }
  // The ioctl doesn't notice that an address space is gone, or going; a read of it ends at once.
  std::array<PagemapEntry, 1> entry;
  if (ReadPagemap(fd_, {}, entry) == 0) return FailGone();
  return {};
}

bool PageMapScanner::Take(std::span<const PageRegion> regions, Runs* runs) const {
  return std::ranges::all_of(regions, [&](const PageRegion& region) {
    const AddressRange range = RangeOf(region);
    if (query_.marks || (region.categories & kPageIsSwapped) == 0) {
      return runs->Add(range, region.categories);
    }
    // The ioctl can't tell a page in swap from a mark at a hole. An address space that went
    // meanwhile is noticed at the end.
    static_cast<void>(ByWindows({&range, 1}, Between::kAnything, kEntriesPerRead, runs));
    return runs->wants_more();
  });
}

Result<void> PageMapScanner::ByWindows(std::span<const AddressRange> ranges, Between between,
                                       size_t at_once, Runs* runs) const {
  std::array<PagemapEntry, kEntriesPerRead> entries;
  TargetAddress at;
  for (bool more = true; more && !ranges.empty();) {
    at = std::max(at, ranges.front().begin);
    if (at >= ranges.front().end) {
      ranges = ranges.subspan(1);
      continue;
    }
    const AddressRange window = Window(at, ranges, between, at_once);
    const auto asked = std::span(entries).first(window.pages().count);
    const size_t known = ReadPagemap(fd_, at, asked);
    if (known == 0) return FailGone();
    more = Take(at, asked.first(known), runs);
    at = at + ToBytes(Pages{known});
  }
  return {};
}

bool PageMapScanner::Take(TargetAddress at, std::span<const PagemapEntry> entries,
                          Runs* runs) const {
  for (size_t i = 0; i < entries.size();) {
    const size_t first = i;
    const uint64_t categories = CategoriesOf(entries[first]);
    while (++i < entries.size() && CategoriesOf(entries[i]) == categories) {
    }
    const AddressRange run{at + kPageSize * first, at + kPageSize * i};
    if (categories != 0 && !runs->Add(run, categories)) return false;
  }
  return true;
}

uint64_t PageMapScanner::CategoriesOf(PagemapEntry entry) const {
  if (!entry.populated() || (query_.armed_only && !entry.armed())) return 0;
  if (!query_.marks && entry.marker()) return 0;
  const bool zero = zero_frame_ != 0 && entry.frame() == zero_frame_;
  if (zero && !query_.zero) return 0;
  return (entry.present() ? kPageIsPresent : kPageIsSwapped) | (zero ? kPageIsPfnZero : 0) |
         (entry.of_file() ? kPageIsFile : 0) | (entry.armed() ? 0 : kPageIsWritten);
}

}  // namespace stillframe
