// Turns the bytes of sections into an image's metadata. The bytes may be anything.
#ifndef STILLFRAME_IMAGE_METADATA_DECODER_H_
#define STILLFRAME_IMAGE_METADATA_DECODER_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "image/wire.h"
#include "stillframe/page_sink.h"
#include "stillframe/process_state.h"

namespace stillframe {

// Which image is the parent of one, and where it was when that was written.
struct ParentReference {
  WireImageName name = {};
  std::string path;
};

// Each fills its part of `to` and is false where the bytes are not, from first to last, what
// docs/image-format.md says; then `to` holds an unknown part of it.
bool DecodeProcess(std::span<const std::byte> section, ProcessState& to);
bool DecodeThreads(std::span<const std::byte> section, std::vector<ThreadState>& to);
bool DecodeMappings(std::span<const std::byte> section, std::vector<SavedMapping>& to);
bool DecodeSkipped(std::span<const std::byte> section, std::vector<RangeReason>& to);
bool DecodeCapture(std::span<const std::byte> section, ImageMetadata& to);
bool DecodeReasons(std::span<const std::byte> section, std::vector<std::string>& to);
bool DecodeParent(std::span<const std::byte> section, ParentReference& to);
bool DecodeStandsFor(std::span<const std::byte> section, std::vector<WireImageName>& to);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_METADATA_DECODER_H_
