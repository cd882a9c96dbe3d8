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

// Ranges are of whole pages and not empty. Thread rule: one thread.
class IndexBuilder {
 public:
  void AddData(TargetAddress address, Pages pages, uint64_t file_offset, uint64_t checksum,
               PageSource source);
  void AddZero(AddressRange range);
  // Errors: kInternal for the 257th different reason.
  Result<void> AddLost(AddressRange range, std::string_view reason);

  // Sorts, and joins neighbours of zeros and of lost pages.
  // Errors: kInternal unless the saved parts of `mappings` are told of exactly once.
  Result<void> Seal(std::span<const SavedMapping> mappings);

  std::span<const WireIndexEntry> entries() const { return entries_; }
  std::span<const std::string> reasons() const { return reasons_; }

 private:
  // Adds to the last entry where it is its continuation.
  void AddRange(const WireIndexEntry& entry);

  std::vector<WireIndexEntry> entries_;
  std::vector<std::string> reasons_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_INDEX_BUILDER_H_
