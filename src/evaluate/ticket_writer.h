// Draws tickets and writes them into the pages of a board.
#ifndef STILLFRAME_EVALUATE_TICKET_WRITER_H_
#define STILLFRAME_EVALUATE_TICKET_WRITER_H_

#include <memory>

#include "evaluate/activity.h"
#include "evaluate/ticket_board.h"

namespace stillframe::evaluate {

class TicketWriter final : public Activity {
 public:
  // `writer`: its number on the board, which no other has.
  TicketWriter(std::shared_ptr<TicketBoard> board, size_t writer);

  // One ticket. Checks the page that it overwrites.
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  const std::shared_ptr<TicketBoard> board_;
  const size_t writer_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_TICKET_WRITER_H_
