#include "target/state_capture.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include "base/fail_point.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"
#include "sys/tracee.h"

namespace stillframe {
namespace {

constexpr size_t kFirstRegisterBuffer = 8192;  // AVX-512 needs 2.7 KiB, AMX 11 KiB
constexpr size_t kLargestRegisterBuffer = 1 << 20;

std::string WithoutNewline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

ByteVector ToBytes(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string ReadOptional(int directory, const char* path) {
  return ReadFileAt(directory, path, path).value_or("");
}

// Empty where the CPU or the thread has no such set.
int ReadRegisterSet(pid_t tid, unsigned kind, ByteVector* set) {
  for (size_t room = kFirstRegisterBuffer; room <= kLargestRegisterBuffer; room *= 4) {
    set->resize(room);
    size_t size = 0;
    const int error = PtraceGetRegisterSet(tid, kind, *set, &size);
    FailPoint("pause.getregset");
    if (error == ENODEV || error == EINVAL || error == EIO)
      size = 0;
    else if (error != 0)
      return error;
    else if (size == room)
      continue;  // the kernel cuts it off silently
    set->resize(size);
    set->shrink_to_fit();
    return 0;
  }
  return E2BIG;
}

// A thread that stopped because we asked has only that to tell; it was doing no signal.
ByteVector ReadSignalInfo(pid_t tid) {
  siginfo_t info{};
  if (ptrace(PTRACE_GETSIGINFO, tid, nullptr, &info) != 0) return {};
  constexpr int kStopEvent = 128;  // PTRACE_EVENT_STOP
  if (info.si_code >> 8 == kStopEvent) return {};
  const auto bytes = std::as_bytes(std::span(&info, 1));
  return {bytes.begin(), bytes.end()};
}

Result<ThreadState> CaptureThread(int directory, pid_t tid) {
  ThreadState thread;
  thread.tid = tid;
  thread.name = WithoutNewline(ReadOptional(directory, TaskPath(tid, "comm").c_str()));
  int error = ReadRegisterSet(tid, NT_PRSTATUS, &thread.prstatus);
  if (error == 0) error = ReadRegisterSet(tid, NT_PRFPREG, &thread.fpregset);
  if (error == 0) error = ReadRegisterSet(tid, NT_X86_XSTATE, &thread.xstate);
  if (error == 0) error = PtraceGetSignalMask(tid, &thread.signal_mask);
  if (error != 0) return FailErrno(error, "reading the registers of thread " + std::to_string(tid));
  thread.siginfo = ReadSignalInfo(tid);
  return thread;
}

void ReadProcess(int directory, pid_t pid, ProcessState* state) {
  state->pid = pid;
  state->boot_id = WithoutNewline(ReadOptional(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
  state->executable = ReadLinkAt(directory, "exe");
  state->command_line = ToBytes(ReadOptional(directory, "cmdline"));
  state->auxv = ToBytes(ReadOptional(directory, "auxv"));
  state->stat = WithoutNewline(ReadOptional(directory, "stat"));
  state->status = ReadOptional(directory, "status");
  if (const auto stat = ParseStat(state->stat)) state->start_time = stat->start_time;
  const std::string filter = ReadOptional(directory, "coredump_filter");
  std::from_chars(filter.data(), filter.data() + filter.size(), state->coredump_filter, 16);
}

}  // namespace

Result<ProcessState> CaptureProcessState(int directory, pid_t pid, std::span<const pid_t> stopped) {
  ProcessState state;
  ReadProcess(directory, pid, &state);
  for (const pid_t tid : stopped) {
    STILLFRAME_ASSIGN(ThreadState thread, CaptureThread(directory, tid));
    state.threads.push_back(std::move(thread));
  }
  return state;
}

Result<ProcessState> CaptureRunningState(int directory, pid_t pid) {
  ProcessState state;
  ReadProcess(directory, pid, &state);
  NumberedEntries threads(directory, "task");
  while (const pid_t tid = threads.Next()) {
    ThreadState thread;
    thread.tid = tid;
    thread.name = WithoutNewline(ReadOptional(directory, TaskPath(tid, "comm").c_str()));
    state.threads.push_back(std::move(thread));
  }
  return state;
}

}  // namespace stillframe
