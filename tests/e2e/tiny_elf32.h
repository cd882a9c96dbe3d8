// A 32-bit program, made by hand: it sleeps for ever.
#ifndef STILLFRAME_TESTS_E2E_TINY_ELF32_H_
#define STILLFRAME_TESTS_E2E_TINY_ELF32_H_

#include <elf.h>
#include <sys/stat.h>

#include <cstring>
#include <string>

#include "support/files.h"

namespace stillframe::test {

// Writes it to `path`, executable.
inline void WriteTinyElf32(const std::string& path) {
  // again: mov $29 (pause), %eax; int $0x80; jmp again
  const unsigned char code[] = {0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7};
  constexpr Elf32_Addr kBase = 0x08048000;
  constexpr size_t kHeaders = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);
  Elf32_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS32;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_386;
  header.e_version = EV_CURRENT;
  header.e_entry = kBase + kHeaders;
  header.e_phoff = sizeof(Elf32_Ehdr);
  header.e_ehsize = sizeof(Elf32_Ehdr);
  header.e_phentsize = sizeof(Elf32_Phdr);
  header.e_phnum = 1;
  Elf32_Phdr segment = {};
  segment.p_type = PT_LOAD;
  segment.p_vaddr = kBase;
  segment.p_filesz = segment.p_memsz = kHeaders + sizeof(code);
  segment.p_flags = PF_R | PF_X;
  segment.p_align = 4096;
  std::string file(kHeaders + sizeof(code), '\0');
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), &segment, sizeof(segment));
  std::memcpy(file.data() + kHeaders, code, sizeof(code));
  WriteFile(path, file);
  chmod(path.c_str(), 0755);
}

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_TINY_ELF32_H_
