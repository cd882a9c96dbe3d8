// Memory from which a consistent cut can be told from an inconsistent one: all writers draw tickets
// from one counter and write each into a page.
//
//   page 0            the counter: the next ticket to be drawn, from 1 on
//   page 1 + w        writer w: how many tickets it has written, and the last one it was done with
//   1 + writers + ..  the slots, a page each: ticket t is written into slot SlotOf(t)
//
// A writer draws t, waits until its slot holds ticket t - slots, writes the whole page with the
// ticket itself as the last word stored, adds one to its count, and then says that it is done with
// t. So at any one instant, each ticket drawn is in its slot, or was followed there by a later one,
// or is one of those in flight, of which a writer has at most one; and no ticket that was not drawn
// yet is anywhere. Pages copied at different instants break one or the other.
#ifndef STILLFRAME_EVALUATE_TICKET_BOARD_H_
#define STILLFRAME_EVALUATE_TICKET_BOARD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "evaluate/mapped_memory.h"
#include "evaluate/page_pattern.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// Where a board is and how large: all that a checker of an image needs.
struct TicketLayout {
  TargetAddress address;
  size_t writers = 0;  // 1 to 1,024
  size_t slots = 0;    // a power of two, 16 to 2^20

  size_t pages() const { return 1 + writers + slots; }
  TargetAddress CounterPage() const { return address; }
  TargetAddress WriterPage(size_t writer) const { return address + ToBytes({1 + writer}); }
  TargetAddress SlotPage(size_t slot) const { return address + ToBytes({1 + writers + slot}); }
  // Neighbouring tickets go to pages that lie far apart. The odd factor makes it one to one.
  size_t SlotOf(uint64_t ticket) const { return (ticket * 0x9e3779b1) & (slots - 1); }
};

struct TicketCounter {
  std::atomic<uint64_t> next;
};

struct TicketWriterState {
  std::atomic<uint64_t> written;  // stored before `done`
  std::atomic<uint64_t> done;     // 0: none yet
};

// A slot's page.
inline constexpr size_t kTicketWords = kPageBytes / sizeof(uint64_t);
inline constexpr size_t kTicketWord = 0;  // the ticket, stored last; 0: never written
inline constexpr size_t kOwnerWord = 1;   // the writer
inline constexpr size_t kFirstTicketFiller = 2;
constexpr uint64_t TicketFiller(uint64_t ticket, size_t word) {
  return ticket == 0 ? 0 : ticket * 0x9e3779b97f4a7c15 + word;
}

// Thread rule: any thread.
class TicketBoard {
 public:
  TicketBoard(size_t writers, size_t slots);

  const TicketLayout& layout() const { return layout_; }
  TicketCounter& counter() const { return *At<TicketCounter>(layout_.CounterPage()); }
  TicketWriterState& writer(size_t i) const {
    return *At<TicketWriterState>(layout_.WriterPage(i));
  }
  std::atomic<uint64_t>* slot(size_t i) const {
    return At<std::atomic<uint64_t>>(layout_.SlotPage(i));
  }

 private:
  template <class T>
  T* At(TargetAddress address) const {
    return reinterpret_cast<T*>(memory_.data() + (address - layout_.address).count);
  }

  MappedMemory memory_;
  TicketLayout layout_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_TICKET_BOARD_H_
