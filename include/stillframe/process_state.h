// What is saved of a process beside its memory, raw as the kernel gave it, so that an ELF core can
// be made from an image.
#ifndef STILLFRAME_PROCESS_STATE_H_
#define STILLFRAME_PROCESS_STATE_H_

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stillframe {

using ByteVector = std::vector<std::byte>;

struct ThreadState {
  pid_t tid = 0;
  std::string name;          // /proc/PID/task/TID/comm
  uint64_t signal_mask = 0;  // bit n-1 for signal n
  // As above: what was sent to this very thread and not taken by it yet, being blocked or new.
  uint64_t pending_signals = 0;
  // CPU time in clock ticks, 1/100 s each, as of shortly before the instant; 0 for a thread that
  // was born since.
  uint64_t user_ticks = 0;
  uint64_t system_ticks = 0;
  ByteVector prstatus;  // PTRACE_GETREGSET NT_PRSTATUS: user_regs_struct
  ByteVector fpregset;  // NT_PRFPREG: the legacy FXSAVE area
  ByteVector xstate;    // NT_X86_XSTATE: the whole XSAVE area; empty where the CPU has none
  ByteVector siginfo;   // PTRACE_GETSIGINFO; empty where the thread was stopped by nothing

  bool operator==(const ThreadState&) const = default;
};

struct ProcessState {
  pid_t pid = 0;
  std::string boot_id;      // /proc/sys/kernel/random/boot_id
  uint64_t start_time = 0;  // clock ticks since boot, field 22 of /proc/PID/stat
  std::string executable;   // what /proc/PID/exe points at
  ByteVector command_line;  // /proc/PID/cmdline, NULs and all
  ByteVector auxv;          // /proc/PID/auxv
  std::string stat;         // the line of /proc/PID/stat
  std::string status;       // the text of /proc/PID/status
  uint64_t coredump_filter = 0x33;
  std::vector<ThreadState> threads;  // the thread group's leader first

  bool operator==(const ProcessState&) const = default;
};

}  // namespace stillframe

#endif  // STILLFRAME_PROCESS_STATE_H_
