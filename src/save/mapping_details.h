// What smaps told of a mapping before the pause, carried over to the mappings as they are inside
// it.
#ifndef STILLFRAME_SAVE_MAPPING_DETAILS_H_
#define STILLFRAME_SAVE_MAPPING_DETAILS_H_

#include <sys/types.h>

#include <span>
#include <vector>

#include "stillframe/mapping.h"

namespace stillframe {

// Fills the details of `now` from the mapping of `earlier` (both by address) that overlaps it and
// is of the same kind: a mapping only grows or shrinks keeping its flags. A new anonymous mapping
// gets what such a mapping has. Returns false when one is left whose kind can't be told without
// more (a file or shared memory that is new): its has_details stays false.
bool CarryDetails(std::span<const Mapping> earlier, std::vector<Mapping>* now);

// The details of a new file mapping of process `pid`, from the file itself. To read smaps for it
// would walk over all memory that is present, 5 to 10 ms per GiB, with the target standing still.
// What this can't know is taken as what most mappings have, on the careful side: a writable one
// counts as written, one that was marked MADV_DONTDUMP within these few milliseconds is kept.
// False when the file can't be asked.
bool AskFileForDetails(pid_t pid, Mapping* mapping);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_MAPPING_DETAILS_H_
