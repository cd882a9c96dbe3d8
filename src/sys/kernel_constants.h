// Constants of kernels newer than the 6.1 headers this is built with. What a running kernel has is
// probed, never assumed.
#ifndef STILLFRAME_SYS_KERNEL_CONSTANTS_H_
#define STILLFRAME_SYS_KERNEL_CONSTANTS_H_

#include <linux/ioctl.h>

#include <cstdint>

namespace stillframe {

// include/uapi/linux/userfaultfd.h
inline constexpr uint64_t kUffdFeatureWpUnpopulated = 1u << 13;  // 6.4
inline constexpr uint64_t kUffdFeaturePoison = 1u << 14;         // 6.6
inline constexpr uint64_t kUffdFeatureWpAsync = 1u << 15;        // 6.7

// include/uapi/linux/fs.h, 6.7: the PAGEMAP_SCAN ioctl.
struct PageRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
struct PmScanArg {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t vec;
  uint64_t vec_len;
  uint64_t max_pages;
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};
static_assert(sizeof(PageRegion) == 24 && sizeof(PmScanArg) == 96);
inline constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);
inline constexpr uint64_t kPmScanWpMatching = 1u << 0;  // write-protect what is found
inline constexpr uint64_t kPageIsWpAllowed = 1u << 0;
inline constexpr uint64_t kPageIsWritten = 1u << 1;
inline constexpr uint64_t kPageIsFile = 1u << 2;
inline constexpr uint64_t kPageIsPresent = 1u << 3;
inline constexpr uint64_t kPageIsSwapped = 1u << 4;
inline constexpr uint64_t kPageIsPfnZero = 1u << 5;
inline constexpr uint64_t kPageIsHuge = 1u << 6;

}  // namespace stillframe

#endif  // STILLFRAME_SYS_KERNEL_CONSTANTS_H_
