// Collects what became of each page while an image is written.
#ifndef STILLFRAME_IMAGE_INDEX_BUILDER_H_
#define STILLFRAME_IMAGE_INDEX_BUILDER_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// Ranges are of whole pages and not empty. With repeats, what was told and holds no more is let go
// of each time that the entries have doubled: it costs 24 bytes for each block then, besides 8 for
// each page in the file.
//
// Thread rule: one thread.
class IndexBuilder {
 public:
  // As few entries as are not worth looking through.
  static constexpr size_t kFewEntries = 1 << 16;

  // From here on a page may be told of again, see PageSink::AllowRepeats. Before the first one.
  void AllowRepeats() { repeats_ = true; }

  // `block`: the pages, as they go to the file at `file_offset`, each block behind the one before.
  void AddData(TargetAddress address, std::span<const std::byte> block, uint64_t file_offset,
               PageSource source);
  void AddZero(AddressRange range);
  // Errors: kInternal for the 257th different reason.
  Result<void> AddLost(AddressRange range, std::string_view reason);

  // Sorts, and joins neighbours of zeros and of lost pages. With repeats only what was told last of
  // each page is kept, and nothing outside the saved parts.
  // Errors: kInternal unless the saved parts of `mappings` are then told of exactly once.
  Result<void> Seal(std::span<const SavedMapping> mappings);

  std::span<const WireIndexEntry> entries() const { return entries_; }
  std::span<const std::string> reasons() const { return reasons_; }
  // After Seal: the blocks, and pages of blocks, that no entry uses any more.
  std::span<const WireSuperseded> superseded() const { return superseded_; }

 private:
  // Before something is added.
  void MakeRoom();
  void KeepLast(std::span<const SavedMapping> mappings);
  // Keeps `part` of the entry. A block of which something else is gone is kept page by page: its
  // checksum is of all of it.
  void KeepPart(const WireIndexEntry& entry, AddressRange part, std::vector<WireIndexEntry>* kept,
                std::vector<bool>* used) const;
  void NoteSuperseded(std::span<const WireIndexEntry> told, const std::vector<bool>& used);
  // Adds to the last entry where it is its continuation.
  void AddRange(const WireIndexEntry& entry);

  std::vector<WireIndexEntry> entries_;
  std::vector<std::string> reasons_;
  bool repeats_ = false;
  // With repeats only: of each page in the file, in its order.
  std::vector<uint64_t> page_checksums_;
  std::vector<WireSuperseded> superseded_;
  size_t most_entries_ = kFewEntries;  // before it is looked what of them still holds
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_INDEX_BUILDER_H_
