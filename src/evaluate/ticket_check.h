// Tells whether a copy of a ticket board is that of one instant.
#ifndef STILLFRAME_EVALUATE_TICKET_CHECK_H_
#define STILLFRAME_EVALUATE_TICKET_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/ticket_board.h"
#include "stillframe/error.h"

namespace stillframe::evaluate {

// Fills `to` with the copy's memory from an address on: an image's Read, or a copy made in another
// way.
using MemoryReader = std::function<Result<void>(TargetAddress from, std::span<std::byte> to)>;

struct TicketReport {
  uint64_t drawn = 0;      // tickets drawn at the instant
  uint64_t in_flight = 0;  // of them drawn and not wholly written
  uint64_t unsaid = 0;     // of them written, but their writer had not said so yet
  // What no single instant could have shown; empty for a consistent cut. At most 16.
  std::vector<std::string> problems;
};

// Errors: those of `read` only; a board that is inconsistent is a report with problems.
Result<TicketReport> CheckTickets(const TicketLayout& layout, const MemoryReader& read);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_TICKET_CHECK_H_
