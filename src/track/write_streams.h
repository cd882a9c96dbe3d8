// Which writers go through memory in order, told from the pages that they fault on.
#ifndef STILLFRAME_TRACK_WRITE_STREAMS_H_
#define STILLFRAME_TRACK_WRITE_STREAMS_H_

#include <array>
#include <cstdint>

#include "region/page_bitmap.h"
#include "stillframe/units.h"

namespace stillframe {

// A writer that faults on a page soon behind those that were opened for it last (kReach) will want
// the next ones as well: they are opened along, twice as many each time, so that it has few faults.
// Who faults elsewhere gets one page, and begins anew.
//
// Pure: no clock, no allocation. Thread rule: the tracker's.
class WriteStreams {
 public:
  // 256 KiB are copied in some 50 us: others may wait for that.
  static constexpr Pages kMost{64};
  // Pages that somebody else saved meanwhile don't fault: a stream may go on so much further.
  static constexpr Pages kReach{512};

  // How many pages from this one on are worth opening now; at least one.
  Pages Wanted(PageIndex page) const;
  // They were opened, for a fault on the first of them.
  void Opened(PageRun pages);

 private:
  static constexpr size_t kStreams = 16;
  struct Stream {
    PageIndex next;  // behind what was opened last
    Pages length;    // opened last; zero: none
    uint64_t used = 0;
  };

  // The stream that would go on with this page, or null.
  const Stream* Find(PageIndex page) const;

  std::array<Stream, kStreams> streams_ = {};
  uint64_t uses_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_WRITE_STREAMS_H_
