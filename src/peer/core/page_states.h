// What was told of each page of a file that is written at any place.
#ifndef STILLFRAME_PEER_CORE_PAGE_STATES_H_
#define STILLFRAME_PEER_CORE_PAGE_STATES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// One byte: untold, zero, data by its source, or lost by the number of its reason.
class PageState {
 public:
  static constexpr size_t kMostReasons = 251;

  constexpr PageState() = default;
  static constexpr PageState Zero() { return PageState(1); }
  static constexpr PageState Data(PageSource source) {
    return PageState(static_cast<uint8_t>(kFirstSource + static_cast<uint8_t>(source)));
  }
  // `reason` is below kMostReasons.
  static constexpr PageState Lost(size_t reason) {
    return PageState(static_cast<uint8_t>(kFirstReason + reason));
  }

  constexpr bool operator==(const PageState&) const = default;
  constexpr bool is_told() const { return value_ != 0; }
  constexpr bool is_data() const { return value_ > kFirstSource && value_ < kFirstReason; }
  constexpr bool is_lost() const { return value_ >= kFirstReason; }
  // Where is_data and is_lost.
  constexpr PageSource source() const { return static_cast<PageSource>(value_ - kFirstSource); }
  constexpr size_t reason() const { return size_t{value_} - kFirstReason; }

 private:
  static constexpr uint8_t kFirstSource = 1;  // PageSource counts from 1
  static constexpr uint8_t kFirstReason = 5;

  explicit constexpr PageState(uint8_t value) : value_(value) {}

  uint8_t value_ = 0;
};
static_assert(sizeof(PageState) == 1);

// Pages are counted from the file's begin; none was told of at first. A byte for each page, but
// only in those pieces of 2 MiB whose pages are not all in the same state: memory that was written
// from one end to the other costs next to nothing, holes of any size neither. So it is the changes
// between states that cost, wherever they are, and `most` bounds it.
//
// Thread rule: one thread.
class PageStates {
 public:
  // [first, first + count)
  struct Run {
    uint64_t first = 0;
    uint64_t count = 0;
    PageState state;
  };

  // `most`: memory that it may take.
  explicit PageStates(Bytes most = Bytes{std::numeric_limits<uint64_t>::max()}) : most_(most) {}

  // Errors: kLimit; what is known of [first, first + count) then is nothing to rely on.
  Result<void> Set(uint64_t first, uint64_t count, PageState state);
  // The run of pages in one state that begins with `first`, as far as `end`, which is beyond it. It
  // may be shorter than it could be.
  Run RunAt(uint64_t first, uint64_t end) const;

  // What it takes now.
  Bytes memory() const { return memory_; }

 private:
  static constexpr uint64_t kPiecePages = 512;
  static constexpr uint64_t kStretchPieces = 64;
  static constexpr uint64_t kStretchPages = kStretchPieces * kPiecePages;

  using Piece = std::array<PageState, kPiecePages>;
  // 128 MiB whose pages are not all in the same state.
  struct Stretch {
    std::array<PageState, kStretchPieces> all;
    std::array<std::unique_ptr<Piece>, kStretchPieces> pieces;  // none: all are as `all`
  };
  struct Entry {
    PageState all;
    std::unique_ptr<Stretch> stretch;  // none: all are as `all`
  };

  Result<void> MakeRoomFor(uint64_t entries);
  // Pages are counted from the stretch's begin, or the piece's.
  Result<void> SetInStretch(Entry& entry, uint64_t first, uint64_t count, PageState state);
  Result<void> SetInPiece(Stretch& stretch, uint64_t number, uint64_t first, uint64_t count,
                          PageState state);
  Result<void> Take(uint64_t bytes);
  // Leaves `entry`, or a piece, all in one state.
  void Unite(Entry& entry, PageState state);
  void UnitePiece(Stretch& stretch, uint64_t number, PageState state);

  const Bytes most_;
  Bytes memory_;
  std::vector<Entry> entries_;
};

// Calls `visit` with each run within [first, first + count), which makes a Result<void>; the first
// error ends it. It may set the states of the run that it is given.
template <class Visit>
Result<void> ForEachRun(const PageStates& states, uint64_t first, uint64_t count, Visit visit) {
  for (const uint64_t end = first + count; first < end;) {
    const PageStates::Run run = states.RunAt(first, end);
    STILLFRAME_TRY(visit(run));
    first += run.count;
  }
  return {};
}

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_PAGE_STATES_H_
