// In which pages two images differ.
#ifndef STILLFRAME_IMAGE_DIFF_H_
#define STILLFRAME_IMAGE_DIFF_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/image_reader.h"
#include "stillframe/units.h"

namespace stillframe {

enum class Difference : uint8_t {
  kChanged,  // both have the page, with other bytes
  kOnlyA,    // the mapping went, or is left out of B
  kOnlyB,    // it came, or is left out of A
  kLost,     // one of them, or both, could not save it or has it no more: nobody can tell
};

// "changed", "only_a", "only_b", "lost".
constexpr std::string_view DifferenceName(Difference difference) {
  switch (difference) {
    case Difference::kChanged:
      return "changed";
    case Difference::kOnlyA:
      return "only_a";
    case Difference::kOnlyB:
      return "only_b";
    case Difference::kLost:
      return "lost";
  }
  return "unknown";
}

struct DifferentRange {
  AddressRange range;
  Difference difference = Difference::kChanged;
  bool operator==(const DifferentRange&) const = default;
};

struct ImageDiff {
  // By address, not overlapping; neighbours of one kind are one range, across mappings too. What is
  // in none of them is equal, or in neither image.
  std::vector<DifferentRange> ranges;
  Pages equal;
  Pages changed;
  Pages only_a;
  Pages only_b;
  Pages lost;

  // Pages that both have as data, by how they were held against each other.
  Pages same_block;  // in the same block of the same file, and so equal
  Pages by_hash;
  Pages by_bytes;  // were read, since one of the two has no hash
};

// Holds each page of `a` against the page of `b` at the same address. Of a page that is zero in one
// and data in the other nothing is read: no image stores a page of zeros. Takes some MiB of memory.
// Errors: as ImageReader::Read.
Result<ImageDiff> DiffImages(const ImageReader& a, const ImageReader& b);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_DIFF_H_
