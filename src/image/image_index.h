// What an image says of each page, checked, and found by address.
#ifndef STILLFRAME_IMAGE_IMAGE_INDEX_H_
#define STILLFRAME_IMAGE_IMAGE_INDEX_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "image/image_file.h"
#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

inline WireKind KindOf(const WireIndexEntry& entry) { return static_cast<WireKind>(entry.kind); }
inline bool IsData(const WireIndexEntry& entry) { return KindOf(entry) == WireKind::kData; }
inline WireEncoding EncodingOf(const WireIndexEntry& entry) {
  return static_cast<WireEncoding>(entry.encoding);
}
inline AddressRange RangeOf(const WireIndexEntry& entry) {
  return {{entry.address}, {entry.end()}};
}
// Pages `first` to `first + count - 1` of a block, a bit each. At most kMaxBlockPages in all.
constexpr uint64_t PageBits(uint64_t first, uint64_t count) {
  return count == 0 ? 0 : (~uint64_t{0} >> (kMaxBlockPages - count)) << first;
}

// What of an image an index belongs to.
struct IndexPlace {
  uint32_t version = kPlainVersion;
  uint64_t data_end = kHeaderSize;
  bool has_parent = false;
};

// Thread rule: const members from any thread.
class ImageIndex {
 public:
  // Reads the entries that fill `section`, and the blocks that no entry uses in `superseded`, which
  // may be null. Each is checked as it comes, so that memory is taken only for good ones, and the
  // blocks must fill [kHeaderSize, data_end) without a gap or an overlap. Errors: kDamaged.
  static Result<ImageIndex> Load(const ImageFile& file, const WireSection& section,
                                 const WireSection* superseded, const IndexPlace& place,
                                 std::vector<std::string> reasons);

  // Of data in an image of version 1 too block_pages says how many pages the block holds.
  std::span<const WireIndexEntry> entries() const { return entries_; }
  // Those from the first one on that ends behind `address`.
  std::span<const WireIndexEntry> From(TargetAddress address) const;
  const std::string& reason(const WireIndexEntry& entry) const { return reasons_[entry.reason]; }
  // Entries of data, and the blocks that no entry uses, in the order of the file. Those that name
  // one block follow one another.
  std::vector<const WireIndexEntry*> Blocks() const;
  // Of one of Blocks: whether no page of the image stands in it.
  static bool IsSuperseded(const WireIndexEntry& block) { return block.kind == 0; }

  // Of the entries.
  Pages data_pages() const { return data_pages_; }
  Pages parent_pages() const { return parent_pages_; }

 private:
  Result<void> LoadEntries(const ImageFile& file, const WireSection& section,
                           const IndexPlace& place);
  Result<void> LoadSuperseded(const ImageFile& file, const WireSection& section,
                              const IndexPlace& place);
  // What is wrong with `entry` behind those that are there, or nothing.
  std::optional<std::string> Check(const WireIndexEntry& entry, const IndexPlace& place) const;
  std::optional<std::string> CheckBlocks(uint64_t data_end, bool shared) const;

  std::vector<WireIndexEntry> entries_;
  std::vector<WireIndexEntry> superseded_;  // of no kind and no address
  std::vector<std::string> reasons_;
  Pages data_pages_;
  Pages parent_pages_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_INDEX_H_
