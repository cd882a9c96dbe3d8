// Reads an image. Trusts nothing in the file: every length, offset and count is checked before it
// is used.
#ifndef STILLFRAME_IMAGE_READER_H_
#define STILLFRAME_IMAGE_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

enum class PageKind : uint8_t {
  kData,  // stands in the file
  kZero,  // a range of zeros
  kLost,  // was there at the instant, could not be saved
};

// A run of pages of one kind, in the order of their addresses.
struct ImageRun {
  AddressRange range;
  PageKind kind = PageKind::kZero;
  PageSource source = PageSource::kScanned;  // kData only
  std::string_view reason;                   // kLost only; lives as long as the reader
};

// Thread rule: const members from any thread.
class ImageReader {
 public:
  // Reads header, trailer and index, and checks their checksums.
  // Errors: kDamaged (not an image, cut off, altered, a later version: the message says which),
  // else as for open(2).
  static Result<std::unique_ptr<ImageReader>> Open(const std::string& path);

  virtual ~ImageReader() = default;

  virtual const ImageMetadata& metadata() const = 0;
  virtual uint32_t format_version() const = 0;
  virtual std::array<uint8_t, 16> id() const = 0;
  virtual Bytes file_size() const = 0;
  // Counts by kind; `written` is the size of the file.
  virtual SinkCounters counters() const = 0;

  // The runs that overlap `range`, cut to it. Addresses that the image doesn't hold are left out.
  virtual std::vector<ImageRun> Runs(AddressRange range) const = 0;

  // Fills `to` with the memory from `address` on, any alignment. Every block that is touched is
  // checked. Errors: kUsage for an address the image doesn't hold, kInternal for a page that was
  // lost, kDamaged.
  virtual Result<void> Read(TargetAddress address, std::span<std::byte> to) const = 0;

  // Reads the whole file: every checksum, all padding, and that the pages account for all mappings.
  virtual Result<void> Verify() const = 0;
};

// What could not be saved, by address.
inline std::vector<RangeReason> LostRanges(const ImageReader& image) {
  std::vector<RangeReason> lost;
  for (const SavedMapping& mapping : image.metadata().mappings) {
    for (const ImageRun& run : image.Runs(mapping.saved)) {
      if (run.kind == PageKind::kLost) lost.push_back({run.range, std::string(run.reason)});
    }
  }
  return lost;
}

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_READER_H_
