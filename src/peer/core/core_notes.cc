#include "peer/core/core_notes.h"

#include <elf.h>
#include <signal.h>
#include <sys/user.h>

#include <array>
#include <string>
#include <utility>

#include "peer/core/file_note.h"
#include "peer/core/note_list.h"
#include "peer/core/process_note.h"
#include "peer/core/save_note.h"

namespace stillframe {
namespace {

constexpr size_t kSmallestXstate = 576;  // the legacy area, and the header behind it

Result<void> CheckSize(const ThreadState& thread, const ByteVector& bytes, const char* what,
                       bool good) {
  if (bytes.empty() || good) return {};
  return Fail(ErrorCode::kDamaged, "writing the notes of the core: thread " +
                                       std::to_string(thread.tid) + " has " + what + " of " +
                                       std::to_string(bytes.size()) + " bytes, which is none");
}

Result<void> CheckSizes(const ThreadState& thread) {
  STILLFRAME_TRY(CheckSize(thread, thread.fpregset, "a floating-point state",
                           thread.fpregset.size() == sizeof(user_fpregs_struct)));
  STILLFRAME_TRY(CheckSize(thread, thread.xstate, "an extended state",
                           thread.xstate.size() >= kSmallestXstate));
  return CheckSize(thread, thread.siginfo, "a siginfo", thread.siginfo.size() == sizeof(siginfo_t));
}

class CoreNotes {
 public:
  explicit CoreNotes(const ImageMetadata& metadata)
      : metadata_(metadata), figures_(metadata.process) {}

  Result<void> Add(std::span<const RangeReason> lost);
  std::vector<std::byte> Take() { return notes_.Take(); }

 private:
  void Reserve(size_t of_process);
  Result<void> AddStatus(const ThreadState& thread);
  Result<void> AddSiginfo(const ThreadState& thread);
  Result<void> AddRegisterSets(const ThreadState& thread);
  Result<void> AddProcess(const ByteVector& files);

  const ImageMetadata& metadata_;
  const ProcessFigures figures_;
  NoteList notes_;
};

Result<void> CoreNotes::Add(std::span<const RangeReason> lost) {
  const ByteVector files = EncodeFileNote(metadata_.mappings);
  const ByteVector save = EncodeSaveNote(metadata_, lost);
  const ProcessState& process = metadata_.process;
  Reserve(process.auxv.size() + files.size() + save.size());
  // Without any thread there is still a process, and a reader expects to find one.
  ThreadState nobody;
  nobody.tid = process.pid;
  const std::span<const ThreadState> threads =
      process.threads.empty() ? std::span<const ThreadState>(&nobody, 1) : process.threads;
  for (const ThreadState& thread : threads) {
    STILLFRAME_TRY(CheckSizes(thread));
    STILLFRAME_TRY(AddStatus(thread));
    const bool first = &thread == threads.data();
    if (first) {
      STILLFRAME_TRY(notes_.AddStruct(kNoteOfCore, NT_PRPSINFO, MakePrpsinfo(process, figures_)));
    }
    STILLFRAME_TRY(AddSiginfo(thread));
    if (first) STILLFRAME_TRY(AddProcess(files));
    STILLFRAME_TRY(AddRegisterSets(thread));
  }
  return notes_.Add(kNoteOfOurs, kSaveNoteType, save);
}

// All of it at once: thousands of threads make hundreds of MiB, and to grow takes twice that.
void CoreNotes::Reserve(size_t of_process) {
  constexpr size_t kHeaders = 256;
  size_t size = of_process + sizeof(elf_prpsinfo) + kHeaders;
  for (const ThreadState& thread : metadata_.process.threads) {
    size += NoteList::SizeOf(kNoteOfCore, sizeof(elf_prstatus));
    size += NoteList::SizeOf(kNoteOfCore, sizeof(siginfo_t));
    size += NoteList::SizeOf(kNoteOfCore, thread.fpregset.size());
    size += NoteList::SizeOf(kNoteOfLinux, thread.xstate.size());
  }
  notes_.Reserve(size);
}

Result<void> CoreNotes::AddStatus(const ThreadState& thread) {
  STILLFRAME_ASSIGN(const elf_prstatus status, MakePrstatus(metadata_.process, figures_, thread));
  return notes_.AddStruct(kNoteOfCore, NT_PRSTATUS, status);
}

Result<void> CoreNotes::AddSiginfo(const ThreadState& thread) {
  static constexpr std::array<std::byte, sizeof(siginfo_t)> kNone{};
  const auto siginfo = thread.siginfo.empty() ? std::span<const std::byte>(kNone)
                                              : std::span<const std::byte>(thread.siginfo);
  return notes_.Add(kNoteOfCore, NT_SIGINFO, siginfo);
}

Result<void> CoreNotes::AddProcess(const ByteVector& files) {
  const ByteVector& auxv = metadata_.process.auxv;
  if (!auxv.empty()) STILLFRAME_TRY(notes_.Add(kNoteOfCore, NT_AUXV, auxv));
  if (!files.empty()) STILLFRAME_TRY(notes_.Add(kNoteOfCore, NT_FILE, files));
  return {};
}

Result<void> CoreNotes::AddRegisterSets(const ThreadState& thread) {
  if (!thread.fpregset.empty()) {
    STILLFRAME_TRY(notes_.Add(kNoteOfCore, NT_FPREGSET, thread.fpregset));
  }
  if (!thread.xstate.empty()) {
    STILLFRAME_TRY(notes_.Add(kNoteOfLinux, NT_X86_XSTATE, thread.xstate));
  }
  return {};
}

}  // namespace

Result<std::vector<std::byte>> EncodeCoreNotes(const ImageMetadata& metadata,
                                               std::span<const RangeReason> lost) {
  CoreNotes notes(metadata);
  STILLFRAME_TRY(notes.Add(lost));
  return notes.Take();
}

}  // namespace stillframe
