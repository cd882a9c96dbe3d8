// Collects what became of each page while an image is written.
#ifndef STILLFRAME_IMAGE_INDEX_BUILDER_H_
#define STILLFRAME_IMAGE_INDEX_BUILDER_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// Where a block stands in the file, and how.
struct StoredBlock {
  uint64_t file_offset = 0;
  uint64_t stored_bytes = 0;
  uint64_t checksum = 0;  // of the stored bytes
  WireEncoding encoding = WireEncoding::kRaw;
};

// Ranges are of whole pages and not empty. What is told carries a number, its turn: of a page the
// one with the highest turn holds, in whatever order they come. With repeats, what holds no more is
// let go of each time that the entries have doubled.
//
// It costs 72 bytes for each entry, with repeats 40 more for each block, and 16 for each page where
// hashes are given.
//
// Thread rule: one thread.
class IndexBuilder {
 public:
  // As few entries as are not worth looking through.
  static constexpr size_t kFewEntries = 1 << 16;

  // `version`: of the format.
  explicit IndexBuilder(uint32_t version) : version_(version) {}

  // From here on a page may be told of again, see PageSink::AllowRepeats. Before the first one.
  void AllowRepeats() { repeats_ = true; }
  bool repeats() const { return repeats_; }

  // A block and the pages in it, from `address` on. Each block stands behind the one before.
  // `hashes`: of each page; may be empty, for all or for none, but not in version 1 with repeats.
  void AddData(uint64_t turn, AddressRange range, PageSource source, const StoredBlock& block,
               std::span<const PageHash> hashes);
  void AddZero(uint64_t turn, AddressRange range);
  void AddInParent(uint64_t turn, AddressRange range);
  // Errors: kInternal for the 257th different reason.
  Result<void> AddLost(uint64_t turn, AddressRange range, std::string_view reason);
  // How much it holds of what was told, in entries.
  size_t held() const { return told_.size(); }

  // Sorts, and joins neighbours that have no block. With repeats only what was told last of each
  // page is kept, and nothing outside the saved parts.
  // Errors: kInternal unless the saved parts of `mappings` are then told of exactly once.
  Result<void> Seal(std::span<const SavedMapping> mappings);

  // After Seal.
  std::span<const WireIndexEntry> entries() const { return entries_; }
  std::span<const std::string> reasons() const { return reasons_; }
  // The blocks, and in version 1 pages of blocks, that no entry uses any more.
  std::span<const WireSuperseded> superseded() const { return superseded_; }
  // Calls `take` with the hashes of all pages in the entries' blocks, in their order, as far as
  // hashes were given; its error ends it.
  Result<void> ForEachHash(
      const std::function<Result<void>(std::span<const PageHash>)>& take) const;

 private:
  struct Told {
    WireIndexEntry entry = {};
    uint64_t turn = 0;
    uint64_t first_page = 0;  // of data: the number of its first page among all that were told of
  };
  struct Block {
    StoredBlock stored;
    uint64_t first_page = 0;
    uint64_t pages = 0;
  };

  static AddressRange RangeOf(const Told& told) {
    return {{told.entry.address}, {told.entry.end()}};
  }
  // Before something is added.
  void MakeRoom();
  void KeepLast(std::span<const SavedMapping> mappings);
  // Keeps `part` of what was told.
  void KeepPart(const Told& told, AddressRange part, std::vector<Told>* kept) const;
  // Its block is there for it alone, and has a checksum of its own: in version 1.
  void KeepPages(const Told& told, AddressRange part, std::vector<Told>* kept) const;
  void FindSuperseded();
  // Adds to the last one where it is its continuation.
  void AddRange(uint64_t turn, AddressRange range, WireKind kind, uint8_t reason = 0);

  const uint32_t version_;
  std::vector<Told> told_;  // sealed: by address
  std::vector<WireIndexEntry> entries_;
  std::vector<std::string> reasons_;
  bool repeats_ = false;
  uint64_t pages_ = 0;            // of data, told so far
  std::vector<PageHash> hashes_;  // of them
  std::vector<Block> blocks_;     // with repeats only
  std::vector<WireSuperseded> superseded_;
  size_t most_told_ = kFewEntries;  // before it is looked what of them still holds
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_INDEX_BUILDER_H_
