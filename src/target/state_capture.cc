#include "target/state_capture.h"

#include <elf.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <string>
#include <utility>

#include "sys/proc_file.h"
#include "sys/process_status.h"
#include "sys/tracee.h"
#include "target/process_handle.h"

namespace stillframe {
namespace {

constexpr size_t kFirstRegisterBuffer = 16384;  // AVX-512 needs 2.7 KiB, AMX 11 KiB
constexpr size_t kLargestRegisterBuffer = 1 << 20;

std::string WithoutNewline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

ByteVector ToBytes(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// Empty where there is no such thing: the kernel was built without it, or the thread or its memory
// is gone. Any other failure is ours (no descriptor, no memory), and an image must not lack
// something for that.
Result<std::string> ReadOptional(int directory, const char* path) {
  auto text = ReadFileAt(directory, path, std::string("reading ") + path);
  if (text) return text;
  const int error = text.error().system_errno;
  if (error == ENOENT || error == ESRCH || error == EINVAL) return std::string();
  return text;
}

// `room` is kept from call to call, and grows where that is needed.
int ReadWholeRegisterSet(pid_t tid, unsigned kind, ByteVector* room, ByteVector* set) {
  size_t size = 0;
  int error = ReadRegisterSet(tid, kind, *room, &size);
  while (error == E2BIG && room->size() < kLargestRegisterBuffer) {
    room->resize(room->size() * 4);
    error = ReadRegisterSet(tid, kind, *room, &size);
  }
  if (error == 0) set->assign(room->begin(), room->begin() + static_cast<std::ptrdiff_t>(size));
  return error;
}

int ReadLegacyState(ByteVector* room, ThreadState* thread) {
  const LegacyState legacy = LegacyStateIn(thread->xstate);
  if (legacy.size == 0) {
    return ReadWholeRegisterSet(thread->tid, NT_PRFPREG, room, &thread->fpregset);
  }
  thread->fpregset.assign(legacy.bytes.begin(), legacy.bytes.end());
  return 0;
}

// No siginfo: a thread that stopped because it was asked to has none.
Result<ThreadState> CaptureThread(pid_t tid, ByteVector* room) {
  ThreadState thread;
  thread.tid = tid;
  int error = ReadWholeRegisterSet(tid, NT_PRSTATUS, room, &thread.prstatus);
  if (error == 0) error = ReadWholeRegisterSet(tid, NT_X86_XSTATE, room, &thread.xstate);
  if (error == 0) error = ReadLegacyState(room, &thread);
  if (error == 0) error = PtraceGetSignalMask(tid, &thread.signal_mask);
  if (error == 0) error = ReadPendingSignals(tid, &thread.pending_signals);
  if (error != 0) return FailErrno(error, "reading the registers of thread " + std::to_string(tid));
  return thread;
}

Result<std::string> ReadName(int directory, pid_t tid) {
  STILLFRAME_ASSIGN(std::string name, ReadOptional(directory, TaskPath(tid, "comm").c_str()));
  return WithoutNewline(std::move(name));
}

Result<ThreadDetails> ReadThreadDetails(int directory, pid_t tid) {
  ThreadDetails details;
  STILLFRAME_ASSIGN(details.name, ReadName(directory, tid));
  if (const auto stat = ReadStat(directory, TaskPath(tid, "stat").c_str())) {
    details.user_ticks = stat->user_ticks;
    details.system_ticks = stat->system_ticks;
  }
  return details;
}

void Describe(ThreadDetails details, ThreadState* thread) {
  thread->name = std::move(details.name);
  thread->user_ticks = details.user_ticks;
  thread->system_ticks = details.system_ticks;
}

// What the kernel reads from the process's memory: a leader that has exited has none to show, but
// its threads do.
Result<void> ReadFromMemory(int directory, pid_t pid, ProcessState* state) {
  const pid_t found = FindLiveThread(directory, pid);
  const pid_t tid = found == 0 ? pid : found;
  state->executable = ReadLinkAt(directory, TaskPath(tid, "exe").c_str());
  STILLFRAME_ASSIGN(const std::string command_line,
                    ReadOptional(directory, TaskPath(tid, "cmdline").c_str()));
  state->command_line = ToBytes(command_line);
  STILLFRAME_ASSIGN(const std::string auxv, ReadOptional(directory, TaskPath(tid, "auxv").c_str()));
  state->auxv = ToBytes(auxv);
  // Threads show no file of their own for it.
  STILLFRAME_ASSIGN(const std::string filter, ReadOptional(directory, "coredump_filter"));
  std::from_chars(filter.data(), filter.data() + filter.size(), state->coredump_filter, 16);
  return {};
}

Result<void> ReadProcess(int directory, pid_t pid, ProcessState* state) {
  state->pid = pid;
  STILLFRAME_ASSIGN(std::string boot_id, ReadOptional(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
  state->boot_id = WithoutNewline(std::move(boot_id));
  STILLFRAME_ASSIGN(std::string stat, ReadOptional(directory, "stat"));
  state->stat = WithoutNewline(std::move(stat));
  STILLFRAME_ASSIGN(state->status, ReadOptional(directory, "status"));
  if (const auto parsed = ParseStat(state->stat)) state->start_time = parsed->start_time;
  return ReadFromMemory(directory, pid, state);
}

// The leader first.
void SortThreads(ProcessState* state) {
  std::ranges::sort(state->threads, {}, [pid = state->pid](const ThreadState& thread) {
    return std::pair(thread.tid != pid, thread.tid);
  });
}

}  // namespace

Result<ProcessDetails> ReadProcessDetails(int directory, pid_t pid) {
  ProcessDetails details;
  STILLFRAME_TRY(ReadProcess(directory, pid, &details.process));
  NumberedEntries threads(directory, "task");
  while (const pid_t tid = threads.Next()) {
    STILLFRAME_ASSIGN(details.threads[tid], ReadThreadDetails(directory, tid));
  }
  if (threads.error() != 0) return FailErrno(threads.error(), "listing the threads of the process");
  return details;
}

Result<ProcessState> CaptureProcessState(int directory, const ProcessDetails& details,
                                         std::span<const pid_t> stopped, const HeldThread* held) {
  ProcessState state = details.process;
  state.threads.reserve(stopped.size() + 1);
  ByteVector room(kFirstRegisterBuffer);
  if (held != nullptr) state.threads.push_back(ToThreadState(*held));
  for (const pid_t tid : stopped) {
    STILLFRAME_ASSIGN(ThreadState thread, CaptureThread(tid, &room));
    state.threads.push_back(std::move(thread));
  }
  for (ThreadState& thread : state.threads) {
    if (const auto known = details.threads.find(thread.tid); known != details.threads.end()) {
      Describe(known->second, &thread);
    } else {
      STILLFRAME_ASSIGN(thread.name, ReadName(directory, thread.tid));
    }
  }
  SortThreads(&state);
  return state;
}

Result<ProcessState> CaptureRunningState(int directory, pid_t pid) {
  STILLFRAME_ASSIGN(ProcessDetails details, ReadProcessDetails(directory, pid));
  ProcessState state = std::move(details.process);
  for (auto& [tid, known] : details.threads) {
    ThreadState thread;
    thread.tid = tid;
    Describe(std::move(known), &thread);
    state.threads.push_back(std::move(thread));
  }
  SortThreads(&state);
  return state;
}

}  // namespace stillframe
