// The size of a transparent huge page.
#ifndef STILLFRAME_REGION_HUGE_PAGE_H_
#define STILLFRAME_REGION_HUGE_PAGE_H_

#include "stillframe/units.h"

namespace stillframe {

// What has to be armed and opened by one call, or the target has it no more: it is split. A page
// table maps as much, too.
inline constexpr Bytes kHugePage = MiB(2);
inline constexpr Pages kHugePagePages = ToPages(kHugePage);

}  // namespace stillframe

#endif  // STILLFRAME_REGION_HUGE_PAGE_H_
