// Whether the entries of an index tell of each saved page exactly once. The same check for what is
// written and what is read.
#ifndef STILLFRAME_IMAGE_COVERAGE_H_
#define STILLFRAME_IMAGE_COVERAGE_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "image/wire.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// Each returns what is wrong, as a clause for an error message, or nothing.

// The mappings: page-aligned, by address, not overlapping; each saved part within its mapping.
std::optional<std::string> CheckMappings(std::span<const SavedMapping> mappings);

// `entries`: by address, each of at least one page and none beyond the end of the address space.
// `mappings` passed CheckMappings.
std::optional<std::string> CheckCoverage(std::span<const WireIndexEntry> entries,
                                         std::span<const SavedMapping> mappings);

// "0x7f0000001000"
std::string Hex(uint64_t value);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_COVERAGE_H_
