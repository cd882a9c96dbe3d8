// Which pages a process has, asked of the kernel for many mappings at once.
// Documentation/admin-guide/mm/pagemap.rst.
#ifndef STILLFRAME_SYS_PAGE_MAP_SCANNER_H_
#define STILLFRAME_SYS_PAGE_MAP_SCANNER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "stillframe/error.h"
#include "stillframe/units.h"
#include "sys/kernel_constants.h"
#include "sys/pagemap.h"

namespace stillframe {

// Which pages are to be found, of those that are present or swapped, and what is to be told of
// them. Pages that differ only in what is not told are one run.
struct PageQuery {
  bool armed_only = false;  // only what is write-protected by a userfaultfd
  bool marks = true;        // marks at holes too, which look like swapped pages

  bool zero = false;  // the kernel's page of zeros too, told apart; else passed over, as a hole is
  bool swapped = false;
  bool of_file = false;
  bool huge = false;
  bool written = false;
};

// A run of pages that are alike. What was not asked for is false.
struct FoundPages {
  AddressRange range;
  bool zero = false;     // the kernel's page of zeros
  bool swapped = false;  // or else present
  bool of_file = false;  // of a file's or of shared memory; false of a private copy of such a page
  bool huge = false;     // mapped as a huge page
  bool written = false;  // since it was armed, or never armed: not write-protected
};

// There are two ways to ask. PAGEMAP_SCAN (6.7) passes over what is empty or unwanted, and one call
// covers many ranges. Else the page map is read in windows, each of which covers several ranges
// that lie close together. They tell the same but for this:
//
//                    PAGEMAP_SCAN          windows of the page map
//   zero             told                  told of pages of 4 KiB, with CAP_SYS_ADMIN; else such a
//                                          page is found as any other
//   huge             told                  false
//   marks left out   by a look at what is  with CAP_SYS_ADMIN; else they are found as any
//                    swapped, in windows   swapped page
//   marks, hugetlb   found                 not found
//
// Which way is taken is found out when it is made, by the call itself.
//
// Ranges are of whole pages.
//
// Thread rule: any thread. Scans allocate nothing. Borrows the descriptor of /proc/PID/pagemap.
class PageMapScanner {
 public:
  // What lies between the ranges of a list.
  enum class Between {
    kAnything,  // other mappings, which are not to be walked at length
    kNothing,   // no memory, as far as the caller knows: it only costs time when there is some
  };
  using Found = std::function<void(const FoundPages&)>;

  PageMapScanner(int pagemap_fd, const PageQuery& query);

  bool uses_scan_ioctl() const { return has_scan_; }
  // For tests and benchmarks, which hold the two ways against each other.
  void ForceWindows();

  // Calls `found` for each run of pages, by address. kTargetGone when the address space is gone.
  // The target's mmap lock is held for reading while a call walks: 3 ms per GiB of pages of 4 KiB.
  Result<void> Scan(AddressRange range, const Found& found) const;
  // The same for several ranges, by address, that don't overlap. No run crosses the border of one.
  // Calls that cover several of them walk at most 64 MiB of ranges.
  Result<void> Scan(std::span<const AddressRange> ranges, Between between,
                    const Found& found) const;
  // Whether there is any such page. Stops at the first one.
  Result<bool> FindsAny(AddressRange range) const;

 private:
  class Runs;
  // Both end early when `runs` wants no more. `at_once`: regions, or entries, asked for at a time.
  Result<void> ByIoctl(std::span<const AddressRange> ranges, Between between, size_t at_once,
                       Runs* runs) const;
  Result<void> ByWindows(std::span<const AddressRange> ranges, Between between, size_t at_once,
                         Runs* runs) const;
  // Give on what one call found. False: no more is wanted.
  bool Take(std::span<const PageRegion> regions, Runs* runs) const;
  bool Take(TargetAddress at, std::span<const PagemapEntry> entries, Runs* runs) const;
  // PAGE_IS_* of an entry; 0 of what is not to be found.
  uint64_t CategoriesOf(PagemapEntry entry) const;

  int fd_;
  PageQuery query_;
  uint64_t told_;  // PAGE_IS_*
  bool has_scan_;
  uint64_t zero_frame_ = 0;  // of the kernel's page of zeros; 0: not known
};

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PAGE_MAP_SCANNER_H_
