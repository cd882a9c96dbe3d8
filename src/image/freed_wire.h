// The structures of the file beside an image that says what of it was freed, byte for byte as
// docs/image-format.md tells ("Freed parts of a parent").
#ifndef STILLFRAME_IMAGE_FREED_WIRE_H_
#define STILLFRAME_IMAGE_FREED_WIRE_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "image/wire.h"

namespace stillframe {

inline constexpr std::array<uint8_t, 8> kFreedMagic{'S', 'T', 'F', 'R', 'F', 'R', 'E', 'D'};
inline constexpr uint32_t kFreedVersion = 1;
// Behind the image's own path.
inline constexpr std::string_view kFreedSuffix = ".freed";

struct WireFreedHeader {
  std::array<uint8_t, 8> magic;
  std::array<uint8_t, 16> id;  // of the image
  uint64_t index_checksum;     // of its section kIndex
  uint32_t version;
  uint32_t complete;  // 1 once all that is listed was freed, else 0
  uint64_t count;     // of the WireFreed behind it
  uint64_t checksum;  // of the bytes before it, and then of all WireFreed
};
static_assert(sizeof(WireFreedHeader) == 56);

// By file_offset.
struct WireFreed {
  uint64_t file_offset;  // of a block that the index names
  uint64_t freed;        // bit n: its page n. Of an encoded block all of its pages
  uint64_t checksum;     // of the block where all bytes that were freed are zero
};
static_assert(sizeof(WireFreed) == 24);
static_assert(WireStruct<WireFreedHeader> && WireStruct<WireFreed>);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_FREED_WIRE_H_
