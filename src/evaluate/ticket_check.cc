#include "evaluate/ticket_check.h"

#include <algorithm>
#include <array>
#include <utility>

namespace stillframe::evaluate {
namespace {

constexpr size_t kMostProblems = 16;
using PageWords = std::array<uint64_t, kTicketWords>;

struct WriterView {
  uint64_t written = 0;
  uint64_t done = 0;
  uint64_t unsaid = 0;        // tickets found that are later than `done`
  bool done_is_there = true;  // its last ticket was found in its slot
};

class TicketChecker {
 public:
  TicketChecker(const TicketLayout& layout, const MemoryReader& read)
      : layout_(layout), read_(read), writers_(layout.writers) {}

  Result<TicketReport> Run() {
    PageWords page;
    STILLFRAME_TRY(ReadPage(layout_.CounterPage(), page));
    next_ = page[0];
    if (next_ == 0) {
      Problem("the counter is zero");
      return std::move(report_);
    }
    report_.drawn = next_ - 1;
    STILLFRAME_TRY(ReadWriters());
    for (size_t slot = 0; slot < layout_.slots; ++slot) {
      STILLFRAME_TRY(ReadPage(layout_.SlotPage(slot), page));
      CheckSlot(slot, page);
    }
    CheckSums();
    return std::move(report_);
  }

 private:
  Result<void> ReadPage(TargetAddress address, PageWords& page) const {
    return read_(address, std::as_writable_bytes(std::span(page)));
  }

  void Problem(std::string text) {
    if (report_.problems.size() < kMostProblems) report_.problems.push_back(std::move(text));
  }

  Result<void> ReadWriters() {
    PageWords page;
    for (size_t i = 0; i < layout_.writers; ++i) {
      STILLFRAME_TRY(ReadPage(layout_.WriterPage(i), page));
      WriterView& writer = writers_[i];
      writer.written = page[0];
      writer.done = page[1];
      if (writer.done >= next_) {
        Problem("writer " + std::to_string(i) + " is done with ticket " +
                std::to_string(writer.done) + ", but only " + std::to_string(report_.drawn) +
                " were drawn");
      }
      // An older one may have been written over.
      writer.done_is_there = writer.done == 0 || writer.done + layout_.slots < next_;
    }
    return {};
  }

  // The latest ticket drawn that belongs into `slot`; 0 for none.
  uint64_t LatestFor(size_t slot) const {
    // The slots of consecutive tickets differ by a fixed step, so the inverse of SlotOf is a
    // multiplication.
    uint64_t inverse = 1;
    for (int i = 0; i < 6; ++i) inverse *= 2 - uint64_t{0x9e3779b1} * inverse;
    const uint64_t residue = (slot * inverse) & (layout_.slots - 1);
    const uint64_t last = next_ - 1;
    const uint64_t back = (last - residue) & (layout_.slots - 1);
    return back >= last ? 0 : last - back;
  }

  void CheckSlot(size_t slot, const PageWords& page) {
    const uint64_t found = page[kTicketWord];
    uint64_t expected = LatestFor(slot);
    uint64_t behind = 0;
    uint64_t following =
        expected + layout_.slots;  // the one that may be half written over `expected`
    const std::string where = "slot " + std::to_string(slot);
    if (found > expected) {
      Problem(where + " holds ticket " + std::to_string(found) + ", later than " +
              std::to_string(expected) + ", the last one drawn for it");
      return;
    }
    while (expected != found && expected != 0 && behind <= layout_.writers) {
      following = expected;
      expected = expected > layout_.slots ? expected - layout_.slots : 0;
      ++behind;
    }
    if (expected != found || behind > layout_.writers) {
      Problem(where + " holds ticket " + std::to_string(found) + " and lacks the later ones");
      return;
    }
    report_.in_flight += behind;
    CheckFiller(where, page, found, behind > 0 ? following : found);
    if (found != 0) CheckOwner(where, page, found, behind > 0);
  }

  // The words of `found` must all be there, except that a prefix of them may be those of
  // `following`.
  void CheckFiller(const std::string& where, const PageWords& page, uint64_t found,
                   uint64_t following) {
    size_t i = kFirstTicketFiller;
    while (i < kTicketWords && page[i] == TicketFiller(following, i)) ++i;
    while (i < kTicketWords && page[i] == TicketFiller(found, i)) ++i;
    if (i < kTicketWords) {
      Problem(where + ", ticket " + std::to_string(found) + ": word " + std::to_string(i) +
              " belongs to neither it nor the one being written");
    }
  }

  void CheckOwner(const std::string& where, const PageWords& page, uint64_t found,
                  bool half_written) {
    const uint64_t owner = page[kOwnerWord];
    if (owner >= writers_.size()) {
      Problem(where + " has no owner");
      return;
    }
    // The owner's word may be the following one's already, whose writer is in flight.
    if (half_written) return;
    if (found > writers_[owner].done) ++writers_[owner].unsaid;
    if (found == writers_[owner].done) writers_[owner].done_is_there = true;
  }

  void CheckSums() {
    uint64_t written = 0;
    for (size_t i = 0; i < writers_.size(); ++i) {
      const WriterView& writer = writers_[i];
      const std::string who = "writer " + std::to_string(i);
      written += writer.written;
      report_.unsaid += writer.unsaid;
      if (writer.unsaid > 1) {
        Problem(who + " is done with ticket " + std::to_string(writer.done) + ", but " +
                std::to_string(writer.unsaid) + " later ones of it are there");
      }
      if (!writer.done_is_there && writer.done < next_) {
        Problem(who + " is done with ticket " + std::to_string(writer.done) +
                ", which is not there");
      }
    }
    if (report_.in_flight + report_.unsaid > layout_.writers) {
      Problem(std::to_string(report_.in_flight) + " tickets in flight and " +
              std::to_string(report_.unsaid) + " not yet said, of " +
              std::to_string(layout_.writers) + " writers");
    }
    // Each writer has one ticket at most that it has drawn and not yet counted. Not all of them are
    // seen: one that is there but not counted may be written over by now.
    const uint64_t most = report_.drawn - report_.in_flight;
    const uint64_t uncounted = layout_.writers - std::min(layout_.writers, report_.in_flight);
    if (written > most || written + uncounted < most) {
      Problem("the writers count " + std::to_string(written) + " tickets written, of " +
              std::to_string(report_.drawn) + " drawn and " + std::to_string(report_.in_flight) +
              " in flight");
    }
  }

  const TicketLayout& layout_;
  const MemoryReader& read_;
  uint64_t next_ = 0;
  std::vector<WriterView> writers_;
  TicketReport report_;
};

}  // namespace

Result<TicketReport> CheckTickets(const TicketLayout& layout, const MemoryReader& read) {
  return TicketChecker(layout, read).Run();
}

}  // namespace stillframe::evaluate
