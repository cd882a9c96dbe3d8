// The pages of a core that is written at any place of its file.
#ifndef STILLFRAME_PEER_CORE_CORE_PAGES_H_
#define STILLFRAME_PEER_CORE_CORE_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/pacing.h"
#include "peer/core/core_layout.h"
#include "peer/core/page_counts.h"
#include "peer/core/page_states.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "store/placed_store.h"

namespace stillframe {

// Ranges are of whole pages. What is told of a page is written to its place in the file at once;
// pages of zeros, and lost ones, are holes. Memory of its own: PageStates, of which `memory` is the
// bound (kLimit).
//
// After an error it is good for nothing but destruction. Thread rule: one thread; counts() from
// any.
class CorePages {
 public:
  // Both outlive it.
  CorePages(PlacedStore& store, const Pacing& pacing, Bytes memory)
      : store_(store), pacing_(pacing), states_(memory) {}

  // As PageSink's.
  void AllowRepeats() { repeats_ = true; }
  Result<void> Expect(std::span<const SavedMapping> mappings, Expectation expectation);
  Result<void> Write(TargetAddress address, std::span<const std::byte> pages, PageSource source);
  Result<void> Zero(AddressRange range);
  Result<void> Lost(AddressRange range, std::string_view reason);

  // Before the first page.
  bool untouched() const { return counts_.total() == 0; }
  bool settled() const { return layout_ && layout_->settled(); }

  // Once it is settled and all was told: brings every page to its last place, frees what nobody
  // needs, and counts what holds. `mappings`: as they were settled. Errors: kInternal unless each
  // page of their saved parts was told of (once only, without repeats); those of the store.
  Result<void> Complete(std::span<const SavedMapping> mappings);

  // After Complete, by address, joined where they can be.
  std::vector<RangeReason> LostRanges() const;
  // Once settled.
  const CoreLayout& layout() const { return *layout_; }
  // Where the first page may stand: before it there is room for the headers.
  uint64_t contents() const { return contents_; }
  const PageCounts& counts() const { return counts_; }

 private:
  void LayOut(size_t mappings);
  // Calls `visit` with each place of `range`, in their order.
  template <class Visit>
  Result<void> ForEachPlace(AddressRange range, Visit visit);
  Result<void> Outside(TargetAddress address) const;
  Result<void> WriteTo(const FilePlace& place, std::span<const std::byte> pages, PageSource source);
  Result<void> Mark(const FilePlace& place, PageState state);
  Result<void> Erase(uint64_t offset, uint64_t size);
  Result<PageState> LostState(std::string_view reason);
  Result<void> MoveFormer();
  // What `former` tells of pages that stand at `place` now, and of which nothing newer was told.
  Result<void> Move(const FilePlace& former, const FilePlace& place);
  Result<void> MoveRun(uint64_t from, uint64_t to, uint64_t pages, PageState state);
  Result<void> CountAnew();
  void DiscardLeftovers();

  PlacedStore& store_;
  const Pacing& pacing_;
  std::optional<CoreLayout> layout_;
  PageStates states_;  // by page of the file
  std::vector<std::string> reasons_;
  PageCounts counts_;
  uint64_t contents_ = 0;
  bool repeats_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_CORE_PAGES_H_
