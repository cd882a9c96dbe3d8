#include "evaluate/ticket_board.h"

namespace stillframe::evaluate {

TicketBoard::TicketBoard(size_t writers, size_t slots) {
  layout_.writers = writers;
  layout_.slots = slots;
  memory_ = MappedMemory::Anonymous(layout_.pages() * kPageBytes);
  layout_.address = {reinterpret_cast<uint64_t>(memory_.data())};
  counter().next = 1;
}

}  // namespace stillframe::evaluate
