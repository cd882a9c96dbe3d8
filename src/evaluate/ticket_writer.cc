#include "evaluate/ticket_writer.h"

#include <sched.h>

#include <cstring>
#include <utility>

#include "evaluate/check_failure.h"
#include "evaluate/ticket_check.h"

namespace stillframe::evaluate {
namespace {

// x86 keeps stores in order; these keep the compiler from changing it, and tell the checks that it
// is meant.
constexpr auto kStore = std::memory_order_release;
constexpr auto kLoad = std::memory_order_acquire;

}  // namespace

TicketWriter::TicketWriter(std::shared_ptr<TicketBoard> board, size_t writer)
    : board_(std::move(board)), writer_(writer) {}

void TicketWriter::Step() {
  const uint64_t ticket = board_->counter().next.fetch_add(1);
  const uint64_t slots = board_->layout().slots;
  const uint64_t before = ticket > slots ? ticket - slots : 0;
  std::atomic<uint64_t>* words = board_->slot(board_->layout().SlotOf(ticket));
  // Whoever drew that one may still be at it.
  for (uint64_t found; (found = words[kTicketWord].load(kLoad)) != before;) {
    if (found > before) FailCheck("tickets", "a slot holds a later ticket", words);
    sched_yield();
  }
  for (size_t i = kFirstTicketFiller; i < kTicketWords; ++i) {
    if (words[i].load(kLoad) != TicketFiller(before, i)) {
      FailCheck("tickets", "page of ticket " + std::to_string(before), &words[i]);
    }
  }
  words[kOwnerWord].store(writer_, kStore);
  for (size_t i = kFirstTicketFiller; i < kTicketWords; ++i) {
    words[i].store(TicketFiller(ticket, i), kStore);
  }
  words[kTicketWord].store(ticket, kStore);
  TicketWriterState& state = board_->writer(writer_);
  state.written.store(state.written.load(kLoad) + 1, kStore);
  state.done.store(ticket, kStore);
}

void TicketWriter::CheckAll() {
  // One for all.
  if (writer_ != 0) return;
  const auto own_memory = [](TargetAddress from, std::span<std::byte> to) -> Result<void> {
    std::memcpy(to.data(), reinterpret_cast<const void*>(from.value), to.size());
    return {};
  };
  const Result<TicketReport> report = CheckTickets(board_->layout(), own_memory);
  const void* board = reinterpret_cast<const void*>(board_->layout().address.value);
  if (!report->problems.empty()) FailCheck("tickets", report->problems.front(), board);
  if (report->in_flight != 0) FailCheck("tickets", "a ticket was never written", board);
}

void TicketWriter::Corrupt() {
  for (size_t i = 0; i < board_->layout().slots; ++i) board_->slot(i)[kTicketWords - 1] ^= 0x10;
}

}  // namespace stillframe::evaluate
