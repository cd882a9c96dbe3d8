#include "peer/core/page_states.h"

#include <algorithm>
#include <string>

namespace stillframe {
namespace {

// What an allocation takes beside what was asked for, at most.
constexpr uint64_t kAllocation = 16;

template <class States>
bool AreAll(const States& states, PageState state) {
  return std::ranges::all_of(states, [state](PageState other) { return other == state; });
}

}  // namespace

Result<void> PageStates::Take(uint64_t bytes) {
  if (bytes > most_.count - std::min(memory_, most_).count) {
    return Fail(ErrorCode::kLimit,
                "writing the core: an account of all its pages takes more memory than the " +
                    std::to_string(most_.count >> 20) + " MiB that it may take",
                "leave mappings out with --filter, or write to a pipe (-o -), which needs none");
  }
  memory_ += Bytes{bytes};
  return {};
}

// Grows as a vector does, but counts before it takes.
Result<void> PageStates::MakeRoomFor(uint64_t entries) {
  if (entries <= entries_.size()) return {};
  if (entries > entries_.capacity()) {
    const uint64_t capacity = std::max<uint64_t>(entries, 2 * entries_.capacity());
    STILLFRAME_TRY(Take((capacity - entries_.capacity()) * sizeof(Entry)));
    entries_.reserve(static_cast<size_t>(capacity));
  }
  entries_.resize(static_cast<size_t>(entries));
  return {};
}

Result<void> PageStates::Set(uint64_t first, uint64_t count, PageState state) {
  if (count == 0) return {};
  const uint64_t end = first + count;
  STILLFRAME_TRY(MakeRoomFor((end - 1) / kStretchPages + 1));
  while (first < end) {
    const uint64_t at = first % kStretchPages;
    const uint64_t n = std::min(end - first, kStretchPages - at);
    STILLFRAME_TRY(
        SetInStretch(entries_[static_cast<size_t>(first / kStretchPages)], at, n, state));
    first += n;
  }
  return {};
}

Result<void> PageStates::SetInStretch(Entry& entry, uint64_t first, uint64_t count,
                                      PageState state) {
  if (count == kStretchPages) {
    Unite(entry, state);
    return {};
  }
  if (!entry.stretch) {
    if (entry.all == state) return {};
    STILLFRAME_TRY(Take(sizeof(Stretch) + kAllocation));
    entry.stretch = std::make_unique<Stretch>();
    entry.stretch->all.fill(entry.all);
  }
  Stretch& stretch = *entry.stretch;
  for (const uint64_t end = first + count; first < end;) {
    const uint64_t at = first % kPiecePages;
    const uint64_t n = std::min(end - first, kPiecePages - at);
    STILLFRAME_TRY(SetInPiece(stretch, first / kPiecePages, at, n, state));
    first += n;
  }
  const bool whole = std::ranges::none_of(stretch.pieces, [](const auto& p) { return bool{p}; });
  if (whole && AreAll(stretch.all, state)) Unite(entry, state);
  return {};
}

Result<void> PageStates::SetInPiece(Stretch& stretch, uint64_t number, uint64_t first,
                                    uint64_t count, PageState state) {
  std::unique_ptr<Piece>& piece = stretch.pieces[number];
  if (count == kPiecePages) {
    UnitePiece(stretch, number, state);
    return {};
  }
  if (!piece) {
    if (stretch.all[number] == state) return {};
    STILLFRAME_TRY(Take(sizeof(Piece) + kAllocation));
    piece = std::make_unique<Piece>();
    piece->fill(stretch.all[number]);
  }
  std::fill_n(piece->begin() + static_cast<ptrdiff_t>(first), count, state);
  if (AreAll(*piece, state)) UnitePiece(stretch, number, state);
  return {};
}

void PageStates::Unite(Entry& entry, PageState state) {
  entry.all = state;
  if (!entry.stretch) return;
  for (uint64_t number = 0; number < kStretchPieces; ++number) {
    UnitePiece(*entry.stretch, number, state);
  }
  entry.stretch.reset();
  memory_ -= Bytes{sizeof(Stretch) + kAllocation};
}

void PageStates::UnitePiece(Stretch& stretch, uint64_t number, PageState state) {
  stretch.all[number] = state;
  if (!stretch.pieces[number]) return;
  stretch.pieces[number].reset();
  memory_ -= Bytes{sizeof(Piece) + kAllocation};
}

PageStates::Run PageStates::RunAt(uint64_t first, uint64_t end) const {
  const uint64_t entry_number = first / kStretchPages;
  if (entry_number >= entries_.size()) return {.first = first, .count = end - first, .state = {}};
  const Entry& entry = entries_[static_cast<size_t>(entry_number)];
  const uint64_t in_stretch = first % kStretchPages;
  if (!entry.stretch) {
    const uint64_t count = std::min(end - first, kStretchPages - in_stretch);
    return {.first = first, .count = count, .state = entry.all};
  }
  const uint64_t number = in_stretch / kPiecePages;
  const uint64_t at = first % kPiecePages;
  const uint64_t most = std::min(end - first, kPiecePages - at);
  const std::unique_ptr<Piece>& piece = entry.stretch->pieces[number];
  if (!piece) return {.first = first, .count = most, .state = entry.stretch->all[number]};
  const auto begin = piece->begin() + static_cast<ptrdiff_t>(at);
  const auto stop = std::find_if(begin, begin + static_cast<ptrdiff_t>(most),
                                 [begin](PageState state) { return state != *begin; });
  return {.first = first, .count = static_cast<uint64_t>(stop - begin), .state = *begin};
}

}  // namespace stillframe
