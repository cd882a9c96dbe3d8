// An ELF core as another reader sees it: by libelf, not by code of ours.
#ifndef STILLFRAME_TESTS_SUPPORT_CORE_FILE_H_
#define STILLFRAME_TESTS_SUPPORT_CORE_FILE_H_

#include <sys/procfs.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe::test {

// A PT_LOAD.
struct CoreSegment {
  AddressRange range;  // p_vaddr, p_memsz
  uint64_t offset = 0;
  uint64_t file_size = 0;
  uint32_t flags = 0;  // PF_R, PF_W, PF_X
  uint64_t align = 0;

  // What of it the file holds.
  AddressRange contents() const { return {range.begin, range.begin + Bytes{file_size}}; }
};

struct CoreNote {
  std::string name;  // without its NUL
  uint32_t type = 0;
  std::vector<std::byte> data;
};

// What stands from one NT_PRSTATUS to the next.
struct CoreThread {
  elf_prstatus status = {};
  user_regs_struct registers = {};
  std::vector<CoreNote> notes;  // those behind NT_PRSTATUS

  pid_t tid() const { return status.pr_pid; }
  // Null where there is none.
  const CoreNote* Note(std::string_view name, uint32_t type) const;
};

class CoreFile {
 public:
  // kDamaged: libelf says that it is none, or it is no core of x86-64.
  static Result<std::unique_ptr<CoreFile>> Open(const std::string& path);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // Of all types, as libelf counts them.
  size_t program_headers() const { return program_headers_; }
  // e_phnum, 0xffff where section header 0 has the number.
  size_t header_count() const { return header_count_; }
  // In the order of the program headers.
  const std::vector<CoreSegment>& segments() const { return segments_; }
  const std::vector<CoreNote>& notes() const { return notes_; }
  const std::vector<CoreThread>& threads() const { return threads_; }
  const CoreNote* Note(std::string_view name, uint32_t type) const;

  // The segment that holds `address`; null where none does.
  const CoreSegment* SegmentAt(TargetAddress address) const;
  // False unless all of it is in the file.
  bool Read(TargetAddress address, std::span<std::byte> into) const;

  // Where `text` stands for the first time in what the file holds; none where it doesn't.
  std::optional<TargetAddress> Find(std::string_view text) const;

  // Where the first segment behind `address` begins, or the end of all memory.
  TargetAddress NextSegment(TargetAddress address) const;

  // Empty when the headers agree with each other and with the file, else what is wrong: segments
  // that overlap, in memory or in the file, that are out of order, or lie outside the file.
  std::string WrongInHeaders() const;

 private:
  CoreFile() = default;
  Result<void> Load();
  Result<void> LoadNotes(void* elf, uint64_t offset, uint64_t size);
  void CollectThreads();

  std::string path_;
  UniqueFd fd_;
  uint64_t size_ = 0;
  size_t program_headers_ = 0;
  size_t header_count_ = 0;
  std::vector<CoreSegment> segments_;
  std::vector<CoreNote> notes_;
  std::vector<CoreThread> threads_;
};

// Opens it and holds its headers against each other; null, and a failure of the current test, where
// something is wrong.
std::unique_ptr<CoreFile> OpenCore(const std::string& path);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_CORE_FILE_H_
