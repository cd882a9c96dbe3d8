// What the kernel says of pages: present, swapped, write-protected.
// Documentation/admin-guide/mm/pagemap.rst.
#ifndef STILLFRAME_SYS_PAGEMAP_H_
#define STILLFRAME_SYS_PAGEMAP_H_

#include <cstdint>
#include <functional>
#include <span>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// One 64-bit entry of /proc/PID/pagemap.
struct PagemapEntry {
  uint64_t bits = 0;
  bool present() const { return (bits >> 63 & 1) != 0; }
  bool swapped() const { return (bits >> 62 & 1) != 0; }
  bool populated() const { return present() || swapped(); }
  bool armed() const { return (bits >> 57 & 1) != 0; }  // the uffd-wp bit, since 5.13
  uint64_t frame() const { return present() ? bits & ((uint64_t{1} << 55) - 1) : 0; }
  // Nothing but a mark at a hole, which is kept where a swapped page would be: of all kinds of swap
  // entries the last (SWP_PTE_MARKER, include/linux/swap.h). Only told with CAP_SYS_ADMIN; without
  // it never true, and the hole looks like a page that reads as zero.
  bool marker() const { return swapped() && !present() && (bits & 31) == 31; }
};

// Reads the entries of the pages from `address` on. Returns how many were read: fewer than asked
// where the address space ends, 0 when it is gone. No allocation; any thread.
//
// This and not PAGEMAP_SCAN is what proves a copy: bit 57 means write-protected by a userfaultfd on
// every kernel, while PAGE_IS_WRITTEN's meaning outside a registered mapping has changed before.
size_t ReadPagemap(int pagemap_fd, TargetAddress address, std::span<PagemapEntry> entries);

struct PopulatedRun;

// Which pages of a range are populated.
class PageScanner {
 public:
  enum class Wanted {
    kPresent,       // present or swapped
    kArmed,         // and write-protected by a userfaultfd too
    kPresentApart,  // present or swapped, told apart from each other and from marks at holes
  };

  // Borrows the descriptor of /proc/PID/pagemap. Probes once whether the kernel has PAGEMAP_SCAN
  // (6.7).
  PageScanner(int pagemap_fd, Wanted wanted);

  bool uses_scan_ioctl() const { return has_scan_; }
  // For the tests, which hold the two ways against each other.
  void ForcePagemapReads() { has_scan_ = false; }

  // Calls `found` for each run of wanted pages, by address; two runs may touch. Pages that are
  // mapped to the zero page may be left out: they read as zero, as a hole does. kTargetGone when
  // the address space is gone.
  Result<void> Scan(AddressRange range, const std::function<void(AddressRange)>& found) const;
  // Whether the range holds any such page. Stops at the first one.
  Result<bool> FindsAny(AddressRange range) const;

 private:
  bool IsWanted(PagemapEntry entry) const;
  friend Result<void> ScanPopulated(int pagemap_fd, AddressRange range,
                                    const std::function<void(const PopulatedRun&)>& found);

  // Both go on until `found` returns false. Its second argument: PAGE_IS_* of the run, where
  // kPresentApart is wanted.
  Result<void> ScanByIoctl(AddressRange range, size_t at_once,
                           const std::function<bool(AddressRange, uint64_t)>& found) const;
  Result<void> ScanByRead(AddressRange range, const std::function<bool(AddressRange)>& found) const;

  int fd_;
  Wanted wanted_;
  bool has_scan_ = false;
};

// A run of populated pages. `huge`: of transparent huge pages, as far as the kernel tells (6.7).
struct PopulatedRun {
  AddressRange range;
  bool huge = false;
};

// Calls `found` for each run of pages that are present or swapped, by address, marks at holes left
// out. Errors as PageScanner::Scan.
Result<void> ScanPopulated(int pagemap_fd, AddressRange range,
                           const std::function<void(const PopulatedRun&)>& found);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PAGEMAP_H_
