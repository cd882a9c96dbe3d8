// NT_FILE: which files are mapped where.
#ifndef STILLFRAME_PEER_CORE_FILE_NOTE_H_
#define STILLFRAME_PEER_CORE_FILE_NOTE_H_

#include <cstddef>
#include <span>
#include <vector>

#include "stillframe/page_sink.h"

namespace stillframe {

// The bytes of the note: how many mappings have a file, the page size, of each its begin, end and
// offset in pages, then their names. Every mapping that has a file is there, saved or not, under
// the name that the kernel gives it, " (deleted)" and all. Empty where none has one.
std::vector<std::byte> EncodeFileNote(std::span<const SavedMapping> mappings);

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_FILE_NOTE_H_
