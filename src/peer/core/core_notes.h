// What a core tells of a process beside its memory.
#ifndef STILLFRAME_PEER_CORE_CORE_NOTES_H_
#define STILLFRAME_PEER_CORE_CORE_NOTES_H_

#include <cstddef>
#include <span>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// The contents of the one PT_NOTE segment, a multiple of 4 bytes, in the order in which the kernel
// writes it: of the first thread NT_PRSTATUS, NT_PRPSINFO, NT_SIGINFO, NT_AUXV, NT_FILE,
// NT_FPREGSET, NT_X86_XSTATE; of each other one NT_PRSTATUS, NT_SIGINFO, NT_FPREGSET,
// NT_X86_XSTATE; last our own (save_note.h). What was not saved (the registers of one's own
// process, say) has no note, but for NT_PRSTATUS and NT_SIGINFO, which are zero then.
//
// `lost`: ranges that are not in the core, in any order. The threads, all but pages, are in memory
// twice while this runs. Pure: no thread, no kernel. Errors: kDamaged where the metadata, which may
// come from an image, has a register set that is none; kUnsupported for a note of 4 GiB or more.
Result<std::vector<std::byte>> EncodeCoreNotes(const ImageMetadata& metadata,
                                               std::span<const RangeReason> lost);

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_CORE_NOTES_H_
