// Writers whose pages are open, and who are all to be woken together.
#ifndef STILLFRAME_TRACK_WAKE_LIST_H_
#define STILLFRAME_TRACK_WAKE_LIST_H_

#include <algorithm>
#include <array>
#include <cstddef>

#include "fault/fault_channel.h"
#include "stillframe/units.h"

namespace stillframe {

// A writer that is woken at once runs at once, on the CPU of the one who opens, and all others of
// the batch wait for it. So all are opened first and woken by one call, from the first address to
// the last.
//
// Thread rule: the tracker's. Nothing here allocates.
class WakeList {
 public:
  // As many faults as are read at once.
  static constexpr size_t kMost = FaultMessages::kMost;

  bool full() const { return count_ == kMost; }
  void Add(AddressRange opened) { ranges_[count_++] = opened; }

  // Wakes all and is empty. `is_waiting(range)`: somebody in the range is to go on waiting; woken
  // he would fault anew, and how long he waited would be forgotten. Others in between, whose pages
  // are open or whose faults are unread, merely look again.
  template <class IsWaiting>
  void WakeAll(const FaultChannel& channel, IsWaiting is_waiting) {
    if (count_ == 0) return;
    AddressRange all = ranges_[0];
    for (size_t i = 1; i < count_; ++i) {
      all = {std::min(all.begin, ranges_[i].begin), std::max(all.end, ranges_[i].end)};
    }
    if (!is_waiting(all)) {
      channel.Wake(all);
    } else {
      for (size_t i = 0; i < count_; ++i) channel.Wake(ranges_[i]);
    }
    count_ = 0;
  }

 private:
  std::array<AddressRange, kMost> ranges_;
  size_t count_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_WAKE_LIST_H_
