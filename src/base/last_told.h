// What is left of ranges that were told of one after the other, where a later one covers what
// earlier ones said.
#ifndef STILLFRAME_BASE_LAST_TOLD_H_
#define STILLFRAME_BASE_LAST_TOLD_H_

#include <cstddef>
#include <span>
#include <vector>

#include "stillframe/units.h"

namespace stillframe {

// A part of the range with the number `told`, from 0, that no later one covers.
struct ToldPart {
  AddressRange range;
  size_t told = 0;
  bool operator==(const ToldPart&) const = default;
};

// The parts by address, as long as they can be. None of the ranges is empty. Takes n log n steps,
// and memory for n numbers more than the result.
std::vector<ToldPart> LastTold(std::span<const AddressRange> ranges);

}  // namespace stillframe

#endif  // STILLFRAME_BASE_LAST_TOLD_H_
