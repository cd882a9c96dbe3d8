#include "core_parity.h"

#include <elf.h>
#include <sys/procfs.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>

namespace stillframe::test {
namespace {

constexpr size_t kMostDifferences = 16;

class Differences {
 public:
  void Add(const std::string& text) {
    if (list_.size() < kMostDifferences) list_.push_back(text);
  }
  template <class T>
  void Compare(const std::string& what, const T& ours, const T& theirs) {
    if (!(ours == theirs)) Add(what + " differs");
  }
  std::vector<std::string> Take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

template <class Struct>
Struct As(const CoreNote* note) {
  Struct value{};
  if (note != nullptr && note->data.size() == sizeof(value)) {
    std::memcpy(&value, note->data.data(), sizeof(value));
  }
  return value;
}

// NT_FILE: where each file is mapped, from what byte of it on, and its name. gcore counts offsets
// in bytes and says that a page has one, the kernel and we count in pages.
std::string FilesOf(const CoreFile& core) {
  const CoreNote* note = core.Note("CORE", NT_FILE);
  if (note == nullptr || note->data.size() < 16) return "none";
  std::vector<uint64_t> words(note->data.size() / 8);
  std::memcpy(words.data(), note->data.data(), words.size() * 8);
  const uint64_t count = words[0];
  if (words.size() < 2 + count * 3) return "cut off";
  std::string text;
  const auto* name = reinterpret_cast<const char*>(note->data.data()) + (2 + count * 3) * 8;
  for (uint64_t i = 0; i < count; ++i) {
    char line[80];
    std::snprintf(line, sizeof(line), "%" PRIx64 " %" PRIx64 " %" PRIx64 " ", words[2 + i * 3],
                  words[3 + i * 3], words[4 + i * 3] * words[1]);
    text += line + std::string(name) + "\n";
    name += std::strlen(name) + 1;
  }
  return text;
}

// pr_state, pr_sname and pr_zomb are those of a process that gdb traces in gcore's, and those from
// before the stop in ours. pr_psargs is what the program was called with, as the kernel has it;
// gcore knows of the program itself only. pr_fname is the name of the process, as the kernel has
// it; gcore takes that of its file.
void CompareProcess(const CoreFile& ours, const CoreFile& theirs, Differences* differences) {
  const auto of_ours = As<elf_prpsinfo>(ours.Note("CORE", NT_PRPSINFO));
  const auto of_theirs = As<elf_prpsinfo>(theirs.Note("CORE", NT_PRPSINFO));
  differences->Compare("pr_nice", of_ours.pr_nice, of_theirs.pr_nice);
  differences->Compare("pr_flag", of_ours.pr_flag, of_theirs.pr_flag);
  differences->Compare("pr_uid", of_ours.pr_uid, of_theirs.pr_uid);
  differences->Compare("pr_gid", of_ours.pr_gid, of_theirs.pr_gid);
  differences->Compare("pr_pid", of_ours.pr_pid, of_theirs.pr_pid);
  differences->Compare("pr_ppid", of_ours.pr_ppid, of_theirs.pr_ppid);
  differences->Compare("pr_pgrp", of_ours.pr_pgrp, of_theirs.pr_pgrp);
  differences->Compare("pr_sid", of_ours.pr_sid, of_theirs.pr_sid);
  const std::string arguments(of_ours.pr_psargs, strnlen(of_ours.pr_psargs, 80));
  const std::string program(of_theirs.pr_psargs, strnlen(of_theirs.pr_psargs, 80));
  if (program.empty() || !arguments.starts_with(program)) {
    differences->Add("pr_psargs is " + arguments + ", gcore's " + program);
  }
  const CoreNote* auxv = ours.Note("CORE", NT_AUXV);
  const CoreNote* their_auxv = theirs.Note("CORE", NT_AUXV);
  if (auxv == nullptr || their_auxv == nullptr || auxv->data != their_auxv->data) {
    differences->Add("NT_AUXV differs");
  }
  const std::string files = FilesOf(ours);
  const std::string their_files = FilesOf(theirs);
  if (files != their_files) {
    differences->Add("NT_FILE differs, ours:\n" + files + "gcore's:\n" + their_files);
  }
}

// The registers that XSAVE keeps from byte `begin` on, `size` bytes of component `bit`: zeros where
// it is in its initial state, whatever the bytes are.
std::vector<std::byte> Component(const CoreNote& note, unsigned bit, size_t begin, size_t size) {
  constexpr size_t kStateBits = 512;
  std::vector<std::byte> bytes(size);
  uint64_t state = 0;
  if (note.data.size() < begin + size) return bytes;
  std::memcpy(&state, &note.data[kStateBits], sizeof(state));
  if ((state >> bit & 1) != 0) std::memcpy(bytes.data(), &note.data[begin], size);
  return bytes;
}

// gcore leaves MXCSR_MASK empty, which is no register.
bool SameLegacyState(const CoreNote* ours, const CoreNote* theirs) {
  auto of_ours = As<user_fpregs_struct>(ours);
  auto of_theirs = As<user_fpregs_struct>(theirs);
  of_ours.mxcr_mask = of_theirs.mxcr_mask = 0;
  return ours != nullptr && theirs != nullptr && ours->data.size() == sizeof(of_ours) &&
         std::memcmp(&of_ours, &of_theirs, sizeof(of_ours)) == 0;
}

// gdb writes those of XSAVE's components that it knows registers of, so its note may be shorter;
// and it says of none that it is in its initial state.
void CompareXstate(const std::string& who, const CoreNote* ours, const CoreNote* theirs,
                   Differences* differences) {
  if (ours == nullptr || theirs == nullptr) {
    if (ours != theirs) differences->Add(who + "NT_X86_XSTATE is there in one only");
    return;
  }
  differences->Compare(who + "vector registers in NT_X86_XSTATE", Component(*ours, 1, 160, 256),
                       Component(*theirs, 1, 160, 256));
  differences->Compare(who + "upper halves in NT_X86_XSTATE", Component(*ours, 2, 576, 256),
                       Component(*theirs, 2, 576, 256));
}

// The other fields of NT_PRSTATUS gcore leaves empty, signals and times among them. It writes
// NT_SIGINFO only of threads for which gdb has a signal; ours is there for all.
void CompareThreads(const CoreThread& ours, const CoreThread& theirs, Differences* differences) {
  const std::string who = "thread " + std::to_string(ours.tid()) + ": ";
  if (std::memcmp(&ours.registers, &theirs.registers, sizeof(ours.registers)) != 0) {
    differences->Add(who + "general registers differ");
  }
  if (!SameLegacyState(ours.Note("CORE", NT_FPREGSET), theirs.Note("CORE", NT_FPREGSET))) {
    differences->Add(who + "NT_FPREGSET differs");
  }
  CompareXstate(who, ours.Note("LINUX", NT_X86_XSTATE), theirs.Note("LINUX", NT_X86_XSTATE),
                differences);
  if (ours.Note("CORE", NT_SIGINFO) == nullptr) differences->Add(who + "there is no NT_SIGINFO");
}

std::string Text(const CoreSegment& segment) {
  char text[96];
  std::snprintf(text, sizeof(text), "%" PRIx64 "-%" PRIx64 " flags %x, 0x%" PRIx64 " in the file",
                segment.range.begin.value, segment.range.end.value, segment.flags,
                segment.file_size);
  return text;
}

bool IsVsyscall(const CoreSegment& segment) {
  return segment.range.begin.value == 0xffffffffff600000;
}

}  // namespace

std::vector<std::string> DifferencesOfNotes(const CoreFile& ours, const CoreFile& theirs) {
  Differences differences;
  CompareProcess(ours, theirs, &differences);
  std::map<pid_t, const CoreThread*> of_theirs;
  for (const CoreThread& thread : theirs.threads()) of_theirs[thread.tid()] = &thread;
  for (const CoreThread& thread : ours.threads()) {
    const auto it = of_theirs.find(thread.tid());
    if (it == of_theirs.end()) {
      differences.Add("gcore has no thread " + std::to_string(thread.tid()));
    } else {
      CompareThreads(thread, *it->second, &differences);
    }
  }
  differences.Compare("the number of threads", ours.threads().size(), theirs.threads().size());
  return differences.Take();
}

std::vector<std::string> DifferencesOfSegments(const CoreFile& ours, const CoreFile& theirs) {
  Differences differences;
  size_t linkers = 0;
  for (const CoreSegment& segment : theirs.segments()) {
    // It can't be read: gcore has zeros there.
    if (IsVsyscall(segment)) continue;
    const CoreSegment* of_ours = ours.SegmentAt(segment.range.begin);
    if (of_ours == nullptr || of_ours->range != segment.range) {
      differences.Add("gcore has " + Text(segment) + ", we have " +
                      (of_ours != nullptr ? Text(*of_ours) : "none"));
      continue;
    }
    // gcore says of all that it can be read, of mappings without any access too.
    if ((of_ours->flags | PF_R) != segment.flags) {
      differences.Add("flags: " + Text(*of_ours) + ", gcore " + Text(segment));
    }
    // Of a file's first page, which has the ELF header, gcore takes the mapping as a whole, the
    // kernel and we that page.
    const bool is_header = of_ours->file_size == kPageSize.count;
    // gdb's own breakpoint makes one mapping, of the dynamic linker, one that was written.
    const bool is_linker = linkers == 0 && of_ours->file_size == 0 && segment.file_size != 0 &&
                           of_ours->flags == (PF_R | PF_X);
    linkers += is_linker ? 1 : 0;
    if (of_ours->file_size != segment.file_size && !is_header && !is_linker) {
      differences.Add("size: " + Text(*of_ours) + ", gcore " + Text(segment));
    } else if (const auto at = FirstDifference(ours, theirs, of_ours->contents())) {
      differences.Add("contents of " + Text(*of_ours) + " " + *at);
    }
  }
  // gcore has no segment for a mapping of which it saves nothing.
  for (const CoreSegment& segment : ours.segments()) {
    if (segment.file_size != 0 && theirs.SegmentAt(segment.range.begin) == nullptr) {
      differences.Add("gcore has nothing of " + Text(segment));
    }
  }
  return differences.Take();
}

namespace {

// The lines of `readelf -lW` and `eu-readelf -l` that begin with LOAD: offset, address, sizes.
std::vector<std::string> LoadLines(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& line : Lines(text)) {
    uint64_t numbers[5];
    if (std::sscanf(line.c_str(), " LOAD %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
                    &numbers[0], &numbers[1], &numbers[2], &numbers[3], &numbers[4]) == 5) {
      char all[128];
      std::snprintf(all, sizeof(all), "%" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64, numbers[0],
                    numbers[1], numbers[3], numbers[4]);
      lines.emplace_back(all);
    }
  }
  return lines;
}

std::vector<std::string> LoadLines(const CoreFile& core) {
  std::vector<std::string> lines;
  for (const CoreSegment& segment : core.segments()) {
    char all[128];
    std::snprintf(all, sizeof(all), "%" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64, segment.offset,
                  segment.range.begin.value, segment.file_size, segment.range.size().count);
    lines.emplace_back(all);
  }
  return lines;
}

// Name and size of each note, as both tools list them: one line each, "  NAME  SIZE  TYPE".
std::vector<std::string> NoteLines(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& line : Lines(text)) {
    char name[32];
    char size[32];
    if (std::sscanf(line.c_str(), " %31s %31s", name, size) != 2) continue;
    if (std::string(name) != "CORE" && std::string(name) != "LINUX" &&
        std::string(name) != "Stillframe") {
      continue;
    }
    lines.push_back(name + (" " + std::to_string(std::stoull(size, nullptr, 0))));
  }
  return lines;
}

std::vector<std::string> NoteLines(const CoreFile& core) {
  std::vector<std::string> lines;
  for (const CoreNote& note : core.notes()) {
    lines.push_back(note.name + " " + std::to_string(note.data.size()));
  }
  return lines;
}

}  // namespace

std::string WhereReadersDisagree(const CoreFile& core) {
  for (const char* reader : {"readelf", "eu-readelf"}) {
    const std::string wide = reader == std::string("readelf") ? "W" : "";
    const Finished segments = RunToEnd({reader, "-l" + wide, core.path()});
    const Finished notes = RunToEnd({reader, "-n" + wide, core.path()});
    const std::string complaints = segments.err + notes.err;
    if (segments.exit_code != 0 || notes.exit_code != 0 || !complaints.empty()) {
      return std::string(reader) + " is not content: " + complaints;
    }
    if (LoadLines(segments.out) != LoadLines(core)) {
      return std::string(reader) + " sees other segments:\n" + segments.out;
    }
    if (NoteLines(notes.out) != NoteLines(core)) {
      return std::string(reader) + " sees other notes:\n" + notes.out;
    }
  }
  return "";
}

}  // namespace stillframe::test
