#include "peer/core/elf_headers.h"

#include <algorithm>
#include <cstring>

namespace stillframe {
namespace {

constexpr uint64_t kNoteAlignment = 4;

}  // namespace

Elf64_Ehdr CoreElfHeader(const CoreParts& parts, uint64_t program_headers) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_ident[EI_OSABI] = ELFOSABI_NONE;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = parts.program_headers;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<Elf64_Half>(std::min<uint64_t>(program_headers, PN_XNUM));
  if (NeedsSectionHeader(program_headers)) {
    header.e_shoff = parts.section_header;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 1;
    header.e_shstrndx = SHN_UNDEF;
  }
  return header;
}

std::vector<Elf64_Phdr> CoreProgramHeaders(
    const CoreParts& parts, std::span<const CoreSegment> segments,
    const std::function<uint64_t(TargetAddress)>& offset_of) {
  std::vector<Elf64_Phdr> headers;
  headers.reserve(segments.size() + 1);
  Elf64_Phdr notes{};
  notes.p_type = PT_NOTE;
  notes.p_offset = parts.notes;
  notes.p_filesz = parts.notes_size.count;
  notes.p_align = kNoteAlignment;
  headers.push_back(notes);
  uint64_t end = parts.contents;
  for (const CoreSegment& segment : segments) {
    Elf64_Phdr load{};
    load.p_type = PT_LOAD;
    load.p_flags = segment.flags;
    load.p_offset = segment.in_file.count > 0 ? offset_of(segment.memory.begin) : end;
    load.p_vaddr = segment.memory.begin.value;
    load.p_filesz = segment.in_file.count;
    load.p_memsz = segment.memory.size().count;
    load.p_align = kPageSize.count;
    headers.push_back(load);
    end = load.p_offset + load.p_filesz;
  }
  return headers;
}

Elf64_Shdr CountingSectionHeader(uint64_t program_headers) {
  Elf64_Shdr header{};
  header.sh_type = SHT_NULL;
  header.sh_size = 1;  // how many section headers there are
  header.sh_link = SHN_UNDEF;
  header.sh_info = static_cast<Elf64_Word>(program_headers);
  return header;
}

}  // namespace stillframe
