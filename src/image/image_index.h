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

// Thread rule: const members from any thread.
class ImageIndex {
 public:
  // Reads the entries that fill `section`, and the blocks that no entry uses in `superseded`, which
  // may be null. Each is checked as it comes, so that memory is taken only for good ones, and the
  // blocks must fill [kHeaderSize, data_end) without a gap or an overlap. Errors: kDamaged.
  static Result<ImageIndex> Load(const ImageFile& file, const WireSection& section,
                                 const WireSection* superseded, uint64_t data_end,
                                 std::vector<std::string> reasons);

  std::span<const WireIndexEntry> entries() const { return entries_; }
  // Those from the first one on that ends behind `address`.
  std::span<const WireIndexEntry> From(TargetAddress address) const;
  const std::string& reason(const WireIndexEntry& entry) const { return reasons_[entry.reason]; }
  // The entries with a block and the blocks that no entry uses, in the order of the file.
  std::vector<const WireIndexEntry*> Blocks() const;
  // Of one of Blocks: whether no page of the image stands in it.
  static bool IsSuperseded(const WireIndexEntry& block) { return block.kind == 0; }

 private:
  Result<void> LoadEntries(const ImageFile& file, const WireSection& section, uint64_t data_end);
  Result<void> LoadSuperseded(const ImageFile& file, const WireSection& section, uint64_t data_end);
  // What is wrong with `entry` behind those that are there, or nothing.
  std::optional<std::string> Check(const WireIndexEntry& entry, uint64_t data_end) const;
  std::optional<std::string> CheckBlocks(uint64_t data_end) const;

  std::vector<WireIndexEntry> entries_;
  std::vector<WireIndexEntry> superseded_;  // of no kind and no address
  std::vector<std::string> reasons_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_INDEX_H_
