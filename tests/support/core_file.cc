#include "support/core_file.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <gtest/gtest.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stillframe::test {
namespace {

struct ElfCloser {
  void operator()(Elf* elf) const { elf_end(elf); }
};

tl::unexpected<Error> ElfError(const std::string& what) {
  const char* text = elf_errmsg(-1);
  return Fail(ErrorCode::kDamaged, what + ": " + (text != nullptr ? text : "unknown"));
}

const CoreNote* FindNote(const std::vector<CoreNote>& notes, std::string_view name, uint32_t type) {
  const auto it = std::find_if(notes.begin(), notes.end(), [&](const CoreNote& note) {
    return note.name == name && note.type == type;
  });
  return it != notes.end() ? &*it : nullptr;
}

std::string Describe(const CoreSegment& segment) {
  char text[96];
  std::snprintf(text, sizeof(text), "the segment 0x%llx to 0x%llx",
                static_cast<unsigned long long>(segment.range.begin.value),
                static_cast<unsigned long long>(segment.range.end.value));
  return text;
}

}  // namespace

const CoreNote* CoreThread::Note(std::string_view name, uint32_t type) const {
  return FindNote(notes, name, type);
}

const CoreNote* CoreFile::Note(std::string_view name, uint32_t type) const {
  return FindNote(notes_, name, type);
}

Result<std::unique_ptr<CoreFile>> CoreFile::Open(const std::string& path) {
  std::unique_ptr<CoreFile> core(new CoreFile());
  core->path_ = path;
  core->fd_.reset(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!core->fd_) return FailErrno(errno, "open " + path);
  STILLFRAME_TRY(core->Load());
  return core;
}

Result<void> CoreFile::Load() {
  struct stat status;
  if (fstat(fd_.get(), &status) != 0) return FailErrno(errno, "stat " + path_);
  size_ = static_cast<uint64_t>(status.st_size);
  if (elf_version(EV_CURRENT) == EV_NONE) return ElfError("libelf");
  const std::unique_ptr<Elf, ElfCloser> elf(elf_begin(fd_.get(), ELF_C_READ, nullptr));
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF) return ElfError(path_ + " is no ELF file");
  GElf_Ehdr header;
  if (gelf_getehdr(elf.get(), &header) == nullptr) return ElfError("ELF header");
  if (header.e_type != ET_CORE || header.e_machine != EM_X86_64 ||
      header.e_ident[EI_CLASS] != ELFCLASS64) {
    return Fail(ErrorCode::kDamaged, path_ + " is no core of x86-64");
  }
  header_count_ = header.e_phnum;
  if (elf_getphdrnum(elf.get(), &program_headers_) != 0) return ElfError("program headers");
  for (size_t i = 0; i < program_headers_; ++i) {
    GElf_Phdr program;
    if (gelf_getphdr(elf.get(), static_cast<int>(i), &program) == nullptr) {
      return ElfError("program header " + std::to_string(i));
    }
    if (program.p_type == PT_NOTE) {
      STILLFRAME_TRY(LoadNotes(elf.get(), program.p_offset, program.p_filesz));
    } else if (program.p_type == PT_LOAD) {
      segments_.push_back({.range = {{program.p_vaddr}, {program.p_vaddr + program.p_memsz}},
                           .offset = program.p_offset,
                           .file_size = program.p_filesz,
                           .flags = program.p_flags,
                           .align = program.p_align});
    }
  }
  CollectThreads();
  return {};
}

Result<void> CoreFile::LoadNotes(void* elf, uint64_t offset, uint64_t size) {
  Elf_Data* data =
      elf_getdata_rawchunk(static_cast<Elf*>(elf), static_cast<int64_t>(offset), size, ELF_T_NHDR);
  if (data == nullptr) return ElfError("notes");
  size_t at = 0;
  while (at < data->d_size) {
    GElf_Nhdr header;
    size_t name_at = 0;
    size_t data_at = 0;
    at = gelf_getnote(data, at, &header, &name_at, &data_at);
    if (at == 0) return ElfError("note " + std::to_string(notes_.size()));
    const auto* bytes = static_cast<const std::byte*>(data->d_buf);
    const auto* name = reinterpret_cast<const char*>(bytes + name_at);
    notes_.push_back({.name = std::string(name, strnlen(name, header.n_namesz)),
                      .type = header.n_type,
                      .data = {bytes + data_at, bytes + data_at + header.n_descsz}});
  }
  return {};
}

void CoreFile::CollectThreads() {
  for (const CoreNote& note : notes_) {
    if (note.name == "CORE" && note.type == NT_PRSTATUS) {
      CoreThread thread;
      std::memcpy(&thread.status, note.data.data(),
                  std::min(note.data.size(), sizeof(thread.status)));
      std::memcpy(&thread.registers, &thread.status.pr_reg, sizeof(thread.registers));
      threads_.push_back(std::move(thread));
    } else if (!threads_.empty()) {
      threads_.back().notes.push_back(note);
    }
  }
}

const CoreSegment* CoreFile::SegmentAt(TargetAddress address) const {
  const auto it = std::partition_point(
      segments_.begin(), segments_.end(),
      [&](const CoreSegment& segment) { return segment.range.end <= address; });
  return it != segments_.end() && it->range.Contains(address) ? &*it : nullptr;
}

TargetAddress CoreFile::NextSegment(TargetAddress address) const {
  const auto it = std::partition_point(
      segments_.begin(), segments_.end(),
      [&](const CoreSegment& segment) { return segment.range.begin <= address; });
  return it != segments_.end() ? it->range.begin : TargetAddress{UINT64_MAX};
}

bool CoreFile::Read(TargetAddress address, std::span<std::byte> into) const {
  while (!into.empty()) {
    const CoreSegment* segment = SegmentAt(address);
    if (segment == nullptr || !segment->contents().Contains(address)) return false;
    const size_t count = std::min(into.size(), (segment->contents().end - address).count);
    const uint64_t offset = segment->offset + (address - segment->range.begin).count;
    if (pread(fd_.get(), into.data(), count, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(count)) {
      return false;
    }
    into = into.subspan(count);
    address = address + Bytes{count};
  }
  return true;
}

std::optional<TargetAddress> CoreFile::Find(std::string_view text) const {
  constexpr uint64_t kChunk = 1 << 20;
  std::string chunk;
  for (const CoreSegment& segment : segments_) {
    // Chunks overlap, so that none cuts the text in two.
    for (uint64_t at = 0; at < segment.file_size; at += kChunk) {
      chunk.resize(std::min(kChunk + text.size(), segment.file_size - at));
      if (!Read(segment.range.begin + Bytes{at}, std::as_writable_bytes(std::span(chunk)))) break;
      const size_t place = chunk.find(text);
      if (place != std::string::npos) return segment.range.begin + Bytes{at + place};
    }
  }
  return std::nullopt;
}

std::string CoreFile::WrongInHeaders() const {
  if (program_headers_ != segments_.size() + 1) return "there is not just one PT_NOTE";
  if (threads_.empty()) return "there is no thread";
  TargetAddress reached;
  std::vector<CoreSegment> stored;
  for (const CoreSegment& segment : segments_) {
    if (segment.range.begin < reached) return Describe(segment) + " is out of order or overlaps";
    reached = segment.range.end;
    const uint64_t size = segment.range.size().count;
    // Lost pages leave an empty one behind.
    if (segment.range.begin.value % kPageSize.count != 0 || size % kPageSize.count != 0) {
      return Describe(segment) + " is not made of pages";
    }
    if (segment.file_size > size) return Describe(segment) + " has more in the file than in memory";
    if (segment.align != kPageSize.count) return Describe(segment) + " has another p_align";
    if (segment.file_size != 0) stored.push_back(segment);
  }
  std::sort(stored.begin(), stored.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  uint64_t end = 0;
  for (const CoreSegment& segment : stored) {
    if (segment.offset % kPageSize.count != 0) return Describe(segment) + " is not aligned";
    if (segment.offset < end) return Describe(segment) + " overlaps another in the file";
    end = segment.offset + segment.file_size;
    if (end > size_) return Describe(segment) + " is cut off by the end of the file";
  }
  return "";
}

std::unique_ptr<CoreFile> OpenCore(const std::string& path) {
  auto core = CoreFile::Open(path);
  if (!core) {
    ADD_FAILURE() << path << ": " << core.error().message;
    return nullptr;
  }
  const std::string wrong = (*core)->WrongInHeaders();
  if (!wrong.empty()) ADD_FAILURE() << path << ": " << wrong;
  return *std::move(core);
}

}  // namespace stillframe::test
