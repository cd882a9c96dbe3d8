// The headers of an ELF core of x86-64, as fs/binfmt_elf.c of the kernel fills them in.
#ifndef STILLFRAME_PEER_CORE_ELF_HEADERS_H_
#define STILLFRAME_PEER_CORE_ELF_HEADERS_H_

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "peer/core/core_segments.h"
#include "stillframe/process_state.h"
#include "stillframe/units.h"

namespace stillframe {

// Where the parts of a core stand in its file. Offsets in bytes.
struct CoreParts {
  uint64_t program_headers = sizeof(Elf64_Ehdr);
  uint64_t contents = 0;  // the first page of memory
  uint64_t notes = 0;
  Bytes notes_size{0};
  // One section header, where there are so many program headers that only it can count them.
  uint64_t section_header = 0;
};

// Bytes that `count` program headers take.
constexpr uint64_t ProgramHeaderBytes(uint64_t count) { return count * sizeof(Elf64_Phdr); }

// One for the notes, one for each segment.
constexpr uint64_t ProgramHeaderCount(uint64_t segments) { return segments + 1; }

// From 65,535 program headers on, e_phnum can't count them (PN_XNUM).
constexpr bool NeedsSectionHeader(uint64_t program_headers) { return program_headers >= PN_XNUM; }

Elf64_Ehdr CoreElfHeader(const CoreParts& parts, uint64_t program_headers);

// PT_NOTE, and a PT_LOAD for each segment. `offset_of`: where memory stands that is in the file.
// What has nothing in the file is said to stand where the one before it ends.
std::vector<Elf64_Phdr> CoreProgramHeaders(const CoreParts& parts,
                                           std::span<const CoreSegment> segments,
                                           const std::function<uint64_t(TargetAddress)>& offset_of);

// Section header 0, which says how many program headers there are.
Elf64_Shdr CountingSectionHeader(uint64_t program_headers);

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_ELF_HEADERS_H_
