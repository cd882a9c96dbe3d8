// Which pages were written since they were looked at, where the kernel itself opens what is
// written: PAGEMAP_SCAN over memory that is registered with a userfaultfd in UFFD_FEATURE_WP_ASYNC.
// Documentation/admin-guide/mm/pagemap.rst.
#ifndef STILLFRAME_SYS_PAGE_WATCH_H_
#define STILLFRAME_SYS_PAGE_WATCH_H_

#include <functional>
#include <span>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// What the kernel says of a run of pages that are all alike.
struct WatchedRun {
  AddressRange range;
  bool watched = false;  // registered: a write would have left a trace
  bool written = false;  // since it was armed, or never armed
  bool present = false;
  bool swapped = false;  // or a mark at a place that lost its page
  bool zero = false;     // the kernel's page of zeros
  bool of_file = false;  // not the mapping's own; only told where it was asked for
};

// Thread rule: any thread. Borrows the descriptor of /proc/PID/pagemap. kTargetGone when the
// address space is gone.
class PageWatch {
 public:
  explicit PageWatch(int pagemap_fd) : fd_(pagemap_fd) {}

  enum class Which {
    kWritten,  // since they were armed last, or never armed
    kAll,      // whatever mark they carry
  };

  // Arms the pages of `range` that exist and belong to their mapping: pages that stand in a file
  // only, holes, and what isn't registered, are passed over. Calls `armed` with the runs of what
  // was armed, at most kMostRuns and about kMostAtOnce at a time, by address; its error ends it.
  // The target's mmap lock is held for a short time each. `of_file`: whether pages of `range` may
  // stand in a file only, which costs a look at each.
  Result<void> Arm(AddressRange range, Which which, bool of_file,
                   const std::function<Result<void>(std::span<const AddressRange>)>& armed) const;

  // Calls `found` for each run, by address, that is anything but present, watched, not written and
  // the mapping's own. What is not told of is all of that. `of_file`: as with Arm. `step` bounds
  // what is walked while the target's mmap lock is held. Of an address space that is gone it finds
  // nothing: CheckThere says so.
  Result<void> FindChanged(AddressRange range, bool of_file, Bytes step,
                           const std::function<void(const WatchedRun&)>& found) const;

  // The scan doesn't notice that an address space is gone, or going: kTargetGone then.
  Result<void> CheckThere() const;

  // Whether all memory in `range` is registered: of a target that stands still, or else it may have
  // changed by now. True where nothing is mapped. Quick, whatever is there.
  Result<bool> IsWatched(AddressRange range) const;

  static constexpr size_t kMostRuns = 512;
  static constexpr Bytes kMostAtOnce = MiB(8);

 private:
  int fd_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PAGE_WATCH_H_
