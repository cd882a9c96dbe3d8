#include "track/move_journal.h"

#include <sched.h>

namespace stillframe {

void MoveJournal::Note(AddressRange destination) {
  const uint64_t number = noted_.load(std::memory_order_relaxed);
  Entry& entry = entries_[number % kKept];
  entry.begin.store(destination.begin.value, std::memory_order_relaxed);
  entry.end.store(destination.end.value, std::memory_order_relaxed);
  noted_.store(number + 1, std::memory_order_seq_cst);
}

void MoveJournal::WaitForRead() const {
  const uint64_t before = reading_.load(std::memory_order_seq_cst);
  if (before % 2 == 0) return;
  while (reading_.load(std::memory_order_seq_cst) == before) sched_yield();
}

bool MoveJournal::MovedInto(AddressRange range, uint64_t since) const {
  WaitForRead();
  const uint64_t now = noted_.load(std::memory_order_seq_cst);
  for (uint64_t i = since; i < now; ++i) {
    const Entry& entry = entries_[i % kKept];
    const AddressRange destination{{entry.begin.load(std::memory_order_relaxed)},
                                   {entry.end.load(std::memory_order_relaxed)}};
    if (destination.Overlaps(range)) return true;
  }
  // Entries that were written over while they were being read, or before, may hide one.
  return noted_.load(std::memory_order_seq_cst) - since >= kKept;
}

}  // namespace stillframe
