// What the kernel says of pages: present, swapped, write-protected.
// Documentation/admin-guide/mm/pagemap.rst.
#ifndef STILLFRAME_SYS_PAGEMAP_H_
#define STILLFRAME_SYS_PAGEMAP_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "stillframe/units.h"

namespace stillframe {

// One 64-bit entry of /proc/PID/pagemap.
struct PagemapEntry {
  uint64_t bits = 0;
  bool present() const { return (bits >> 63 & 1) != 0; }
  bool swapped() const { return (bits >> 62 & 1) != 0; }
  bool populated() const { return present() || swapped(); }
  // Of a file's or of shared memory; not of a private copy of such a page.
  bool of_file() const { return (bits >> 61 & 1) != 0; }
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

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PAGEMAP_H_
