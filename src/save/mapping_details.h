// What smaps told of a mapping before the pause, carried over to the mappings as they are inside
// it.
#ifndef STILLFRAME_SAVE_MAPPING_DETAILS_H_
#define STILLFRAME_SAVE_MAPPING_DETAILS_H_

#include <span>
#include <vector>

#include "stillframe/mapping.h"

namespace stillframe {

// Fills the details of `now` from the mapping of `earlier` (both by address) that overlaps it and
// is of the same kind: a mapping only grows or shrinks keeping its flags. A new anonymous mapping
// gets what such a mapping has. Returns false when one is left whose kind can't be told without
// smaps (a file or shared memory that is new).
bool CarryDetails(std::span<const Mapping> earlier, std::vector<Mapping>* now);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_MAPPING_DETAILS_H_
