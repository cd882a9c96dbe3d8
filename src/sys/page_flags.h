// What the kernel says of a page frame: /proc/kpageflags, Documentation/admin-guide/mm/pagemap.rst.
#ifndef STILLFRAME_SYS_PAGE_FLAGS_H_
#define STILLFRAME_SYS_PAGE_FLAGS_H_

#include "base/unique_fd.h"
#include "sys/pagemap.h"

namespace stillframe {

// Thread rule: any thread. No allocation after construction.
class PageFlags {
 public:
  // Opens /proc/kpageflags; without the right to, every answer is no.
  PageFlags();
  // True for a page that KSM merged with its equals.
  bool IsMerged(const PagemapEntry& entry) const;

 private:
  UniqueFd fd_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PAGE_FLAGS_H_
