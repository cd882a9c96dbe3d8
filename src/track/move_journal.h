// The last moves of memory within the target, for whoever copied a page while they happened.
#ifndef STILLFRAME_TRACK_MOVE_JOURNAL_H_
#define STILLFRAME_TRACK_MOVE_JOURNAL_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "stillframe/units.h"

namespace stillframe {

// A page that mremap brings to an address comes armed. A copy made of that address then looks
// proven, and holds another page's bytes. So: note the time, copy, open, and ask whether anything
// was moved there since.
//
// The tracker brackets each read of events, since the target goes on the moment its event is read,
// before the tracker could note it.
//
// Thread rule: BeginRead, Note, EndRead by the tracker; the rest from any thread. No allocation.
class MoveJournal {
 public:
  void BeginRead() { reading_.fetch_add(1, std::memory_order_seq_cst); }
  void Note(AddressRange destination);
  void EndRead() { reading_.fetch_add(1, std::memory_order_seq_cst); }

  // A time to hand to MovedInto.
  uint64_t Now() const { return noted_.load(std::memory_order_seq_cst); }
  // True when pages were moved into the range since `since`, or so many moves happened that nobody
  // knows. Waits for a read of events that is under way (microseconds).
  bool MovedInto(AddressRange range, uint64_t since) const;

 private:
  static constexpr uint64_t kKept = 256;
  struct Entry {
    std::atomic<uint64_t> begin;
    std::atomic<uint64_t> end;
  };

  void WaitForRead() const;

  std::atomic<uint64_t> reading_ = 0;  // odd while events are being read
  std::atomic<uint64_t> noted_ = 0;
  std::array<Entry, kKept> entries_ = {};
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_MOVE_JOURNAL_H_
