// What a page is known by: two pages with the same hash are taken for equal.
#ifndef STILLFRAME_IMAGE_PAGE_HASH_H_
#define STILLFRAME_IMAGE_PAGE_HASH_H_

#include <xxh_x86dispatch.h>

#include <cstddef>
#include <span>

#include "stillframe/image_reader.h"
#include "stillframe/units.h"

namespace stillframe {

// `page`: kPageSize bytes. The lower half is Checksum() of the same bytes: XXH3 makes both of one
// state where there are more than 240 of them.
inline PageHash HashPage(std::span<const std::byte> page) {
  const XXH128_hash_t hash = XXH3_128bits(page.data(), page.size());
  return {.low = hash.low64, .high = hash.high64};
}

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_PAGE_HASH_H_
