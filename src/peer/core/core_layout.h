// Where in a core's file the memory of the target stands.
#ifndef STILLFRAME_PEER_CORE_CORE_LAYOUT_H_
#define STILLFRAME_PEER_CORE_CORE_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// Memory that stands in the file in one piece, from `offset` on.
struct FilePlace {
  AddressRange addresses;
  uint64_t offset = 0;

  bool operator==(const FilePlace&) const = default;
  uint64_t OffsetOf(TargetAddress address) const {
    return offset + (address - addresses.begin).count;
  }
  uint64_t end() const { return offset + addresses.size().count; }
  // `range` lies within `addresses`.
  FilePlace Part(AddressRange range) const { return {range, OffsetOf(range.begin)}; }
};

// Saved memory is laid out by address, and what lies side by side in memory does so in the file.
// As long as mappings may still change, ranges get room at both ends, as far as no other one is
// there: an eighth of their size, at most 1 GiB. The file is sparse, so that it costs no disk. A
// mapping that lies in no single place, since it grew by more, was moved or joined, is laid out
// anew behind all else; what was told of it stays where it was, see former(). Once all is settled
// the saved part of each mapping stands in one piece.
//
// Only offsets are counted here, nothing is written. Thread rule: one thread.
class CoreLayout {
 public:
  // More than any process can have mapped, and an offset in any file system.
  static constexpr uint64_t kMostBytes = uint64_t{1} << 48;

  // `contents`: where in the file the first page may stand, page-aligned.
  explicit CoreLayout(uint64_t contents) : end_(contents), contents_end_(contents) {}

  // As PageSink::Expect; nothing may be expected once it was settled. Errors: kInternal for
  // mappings that overlap or are not of whole pages, kUnsupported for more than kMostBytes.
  Result<void> Expect(std::span<const SavedMapping> mappings, Expectation expectation);
  // Finds a place for pages that nobody expected. Before it is settled. Errors: kUnsupported.
  Result<void> MakeRoomFor(AddressRange range);

  bool settled() const { return settled_; }
  // Whether the saved parts of `mappings` are what was settled.
  bool Holds(std::span<const SavedMapping> mappings) const;
  // The first part of `range` that has a place.
  std::optional<FilePlace> Find(AddressRange range) const;
  // By address, not overlapping. Once settled: the saved parts, and nothing else.
  std::span<const FilePlace> places() const { return places_; }
  // Where memory stood that has another place now, or had one in between; the latest last.
  std::span<const FilePlace> former() const { return former_; }
  // Once settled: behind the last page of places(), or where the first would stand.
  uint64_t contents_end() const { return contents_end_; }

 private:
  // Before the first place that ends behind `address`.
  std::vector<FilePlace>::const_iterator At(TargetAddress address) const;
  bool InOnePlace(AddressRange range) const;
  // Takes `ranges`, by address, out of the places.
  void TakeOut(std::span<const AddressRange> ranges);
  // Gives each of `ranges`, which have none, a place at the end, with room around it or not.
  Result<void> Append(std::span<const AddressRange> ranges, bool room);
  // Leaves of the places what lies in `saved`.
  void CutTo(std::span<const AddressRange> saved);

  std::vector<FilePlace> places_;
  std::vector<FilePlace> former_;
  uint64_t end_;  // behind all that was ever laid out
  uint64_t contents_end_;
  bool settled_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_CORE_LAYOUT_H_
