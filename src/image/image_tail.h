// What stands behind the blocks of an image: its sections, their table and the trailer.
#ifndef STILLFRAME_IMAGE_IMAGE_TAIL_H_
#define STILLFRAME_IMAGE_IMAGE_TAIL_H_

#include <cstdint>
#include <span>
#include <vector>

#include "image/gathered_output.h"
#include "image/index_builder.h"
#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// Thread rule: one thread.
class ImageTail {
 public:
  // `offset`: where it begins in the file. `output` outlives it.
  ImageTail(GatheredOutput& output, uint64_t offset) : output_(output), offset_(offset) {}

  // Errors: as GatheredOutput::Append, kUnsupported for a section that no reader would take.
  Result<void> AppendMetadata(const ImageMetadata& metadata);
  Result<void> Append(SectionType type, std::span<const std::byte> bytes, uint32_t flags = 0);
  // HASHES, as far as `index` has any.
  Result<void> AppendHashes(const IndexBuilder& index);
  // Last.
  Result<void> AppendTrailer(std::span<const uint8_t, 16> id);

 private:
  GatheredOutput& output_;
  uint64_t offset_;
  std::vector<WireSection> table_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_TAIL_H_
