// What is done about one write fault: its page is copied to the stage and opened, and with it what
// is best opened along.
#ifndef STILLFRAME_TRACK_FAULT_SERVER_H_
#define STILLFRAME_TRACK_FAULT_SERVER_H_

#include <optional>
#include <span>

#include "fault/fault_channel.h"
#include "region/region_map.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "track/stage.h"
#include "track/tracked_memory.h"
#include "track/wake_list.h"
#include "track/write_streams.h"

namespace stillframe {

enum class Served {
  kDone,
  kNoRoom,      // in the stage
  kLater,       // there is some, but soon there may be enough for a huge page
  kElsewhere,   // the scan is just copying the page
  kEventFirst,  // nothing can be opened before an event is read
};

// Opened along with a page are those behind it, where the writer goes through memory in order, and
// all others of its transparent huge page, so that this one need not be split: one page opened in
// it costs as much as splitting it, and the target would be left without. Both only as far as the
// stage has room and nobody else has them, and never what can't be proven.
//
// Thread rule: the tracker's. Nothing here allocates.
class FaultServer {
 public:
  // All outlive it.
  FaultServer(const FaultChannel& channel, const Target& target, Stage& stage)
      : channel_(channel), target_(target), stage_(stage) {}

  // A page of the save, `at` where it lives now. `ours`: a thread of our own wants it.
  // `others_wait`: so that nothing much is opened along. `waited`: how long it has been.
  Served Serve(const Segment& at, bool ours, bool others_wait, Duration waited,
               TrackedMemory& memory);
  // Before the instant: opens, and notes what must be armed again.
  Served ServeEarly(const Segment& at, TrackedMemory& memory);
  // Opens and copies nothing: the page, and what can only be opened with it or would be split.
  Served JustOpen(TargetAddress page, TrackedMemory* memory);

  // From now on the writers of what is opened wait until WakeAll, as far as the list has room and
  // not much is opened at once; or no longer.
  void SetWakesLater(bool later) { wakes_later_ = later; }
  // To be called after a batch, whatever came of it: nobody else wakes them.
  template <class IsWaiting>
  void WakeAll(IsWaiting is_waiting) {
    to_wake_.WakeAll(channel_, is_waiting);
  }

 private:
  // Pages that are to be copied and opened together, and where they are.
  struct Together {
    PageRun pages;
    TargetAddress live;
    bool by_first;  // a page of hugetlb: who has the first has them all
    AddressRange range() const { return {live, live + ToBytes(pages.count)}; }
  };

  std::optional<Served> ServeHuge(const Together& huge, Duration waited, TrackedMemory& memory);
  // What was copied before the instant.
  Served OpenSaved(const Segment& at, TrackedMemory& memory);
  std::optional<Together> HugePageAt(const Segment& at, const TrackedMemory& memory) const;
  // How many of these carry their mark, up to the first that does not.
  Pages ArmedFrom(const Together& pages) const;
  Pages AlongWith(const Segment& at, bool others_wait, const TrackedMemory& memory) const;
  bool Claim(const Together& unit, TrackedMemory& memory) const;
  void GiveBack(const Together& unit, TrackedMemory& memory) const;
  Served CopyAndOpen(const Together& unit, bool ours, TrackedMemory& memory);
  // Of pages that are all proven, where not all could be opened by one call.
  Served OpenEach(const Together& unit, std::span<const uint32_t> slots, TrackedMemory& memory);
  Served Open(AddressRange range);
  // Opens, and wakes now or later.
  OpenOutcome OpenRange(AddressRange range);

  const FaultChannel& channel_;
  const Target& target_;
  Stage& stage_;
  WriteStreams streams_;
  bool wakes_later_ = false;
  WakeList to_wake_;
  // Of the huge pages last wanted, how many had to be split for want of room.
  uint32_t split_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_FAULT_SERVER_H_
