#include "sys/tracee.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "sys/proc_file.h"
#include "sys/process_status.h"

namespace stillframe {
namespace {

constexpr int kGetRseqConfiguration = 0x420f;          // 5.13
constexpr int kSetSyscallUserDispatchConfig = 0x4210;  // 6.4
constexpr int kGetSyscallUserDispatchConfig = 0x4211;

struct RseqConfiguration {
  uint64_t address;
  uint32_t size;
  uint32_t signature;
  uint32_t flags;
  uint32_t pad;
};
static_assert(sizeof(RseqConfiguration) == 24 && sizeof(SyscallUserDispatch) == 32);

// glibc's and the kernel's header each have an enum of their own; the call takes either's number.
template <class Address, class Data>
long Call(int request, pid_t tid, Address address, Data data) {
  return ptrace(static_cast<__ptrace_request>(request), tid, address, data);
}

template <class Address, class Data>
int CallForErrno(int request, pid_t tid, Address address, Data data) {
  return Call(request, tid, address, data) < 0 ? errno : 0;
}

// A process that we are the parent of as well: its end is for the program we are in to wait for.
bool IsChildOfOurs(pid_t tid) {
  const auto status = ReadStatus(AT_FDCWD, ProcPath("/proc/", tid, "status").c_str());
  return status && status->thread_group == tid && status->parent == getpid();
}

// Of what waitid(2) calls the status of a stop: the signal, and above it the event.
ThreadStop Classify(int status) {
  const int signal = status & 0xff;
  const int event = status >> 8;
  if (event == PTRACE_EVENT_STOP) {
    return {signal == SIGTRAP ? StopKind::kTrap : StopKind::kGroupStop, signal};
  }
  if (event != 0) return {StopKind::kOther, 0};
  if (signal == (SIGTRAP | 0x80)) return {StopKind::kSyscall, 0};
  return {StopKind::kSignal, signal};
}

}  // namespace

int PtraceSeize(pid_t tid) {
  return CallForErrno(PTRACE_SEIZE, tid, 0, static_cast<unsigned long>(PTRACE_O_TRACESYSGOOD));
}

int PtraceSuspendSeccomp(pid_t tid) {
  return CallForErrno(PTRACE_SETOPTIONS, tid, 0,
                      static_cast<unsigned long>(PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP));
}

int PtraceKillWithTracer(pid_t tid, bool suspend_seccomp) {
  unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  if (suspend_seccomp) options |= PTRACE_O_SUSPEND_SECCOMP;
  return CallForErrno(PTRACE_SETOPTIONS, tid, 0, options);
}

pid_t PtraceFindNews() {
  siginfo_t info{};
  constexpr int kKinds = WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL;
  if (waitid(P_ALL, 0, &info, kKinds) != 0) return 0;
  return info.si_pid;
}

int PtraceInterrupt(pid_t tid) { return CallForErrno(PTRACE_INTERRUPT, tid, 0, 0); }

bool PtraceReapIfDead(pid_t tid) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(tid);
  if (waitid(P_PID, id, &info, WEXITED | WNOHANG | __WALL | WNOWAIT) != 0) return true;
  if (info.si_pid == 0) return false;
  if (info.si_code != CLD_EXITED && info.si_code != CLD_KILLED && info.si_code != CLD_DUMPED) {
    return false;
  }
  if (!IsChildOfOurs(tid)) waitid(P_PID, id, &info, WEXITED | WNOHANG | __WALL);
  return true;
}

// Not by waitpid, which would take a death as well.
ThreadStop PtracePoll(pid_t tid) {
  siginfo_t info{};
  int error = 0;
  do {
    error =
        waitid(P_PID, static_cast<id_t>(tid), &info, WSTOPPED | WNOHANG | __WALL) < 0 ? errno : 0;
  } while (error == EINTR);
  // A dead one is ECHILD here, since a death was not asked for; it still has to be taken note of.
  if (error == 0 && info.si_pid != 0) return Classify(info.si_status);
  return {PtraceReapIfDead(tid) ? StopKind::kGone : StopKind::kRunning, 0};
}

int PtraceResume(pid_t tid, ResumeUntil until, int signal) {
  return CallForErrno(until == ResumeUntil::kSyscall ? PTRACE_SYSCALL : PTRACE_CONT, tid, 0,
                      static_cast<unsigned long>(signal));
}

int PtraceDetach(pid_t tid) { return CallForErrno(PTRACE_DETACH, tid, 0, 0); }

int PtraceGetRegisters(pid_t tid, user_regs_struct* registers) {
  size_t size = 0;
  const int error = PtraceGetRegisterSet(tid, NT_PRSTATUS,
                                         std::as_writable_bytes(std::span(registers, 1)), &size);
  if (error != 0) return error;
  // A thread that runs 32-bit code has a smaller set.
  return size == sizeof(*registers) ? 0 : ENOEXEC;
}

// The old call shows every thread as its tracer's own kind.
int PtraceGetWideRegisters(pid_t tid, user_regs_struct* registers) {
  return CallForErrno(PTRACE_GETREGS, tid, 0, registers);
}

int PtraceSetRegisters(pid_t tid, const user_regs_struct& registers) {
  iovec part{.iov_base = const_cast<user_regs_struct*>(&registers), .iov_len = sizeof(registers)};
  return CallForErrno(PTRACE_SETREGSET, tid, static_cast<unsigned long>(NT_PRSTATUS), &part);
}

int PtraceGetRegisterSet(pid_t tid, unsigned kind, std::span<std::byte> to, size_t* size) {
  iovec part{.iov_base = to.data(), .iov_len = to.size()};
  const int error = CallForErrno(PTRACE_GETREGSET, tid, static_cast<unsigned long>(kind), &part);
  *size = error == 0 ? part.iov_len : 0;
  return error;
}

int PtraceGetSignalMask(pid_t tid, uint64_t* mask) {
  return CallForErrno(PTRACE_GETSIGMASK, tid, sizeof(*mask), mask);
}

int PtraceSetSignalMask(pid_t tid, uint64_t mask) {
  return CallForErrno(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask);
}

int PtraceGetPendingSignals(pid_t tid, uint64_t* signals) {
  constexpr uint64_t kMost = 256;
  std::array<siginfo_t, 32> queue;
  __ptrace_peeksiginfo_args what{.off = 0, .flags = 0, .nr = static_cast<int>(queue.size())};
  *signals = 0;
  for (;;) {
    const long found = Call(PTRACE_PEEKSIGINFO, tid, &what, queue.data());
    if (found < 0) return errno;
    for (const siginfo_t& info : std::span(queue).first(static_cast<size_t>(found))) {
      if (info.si_signo >= 1 && info.si_signo <= 64) *signals |= uint64_t{1} << (info.si_signo - 1);
    }
    what.off += static_cast<uint64_t>(found);
    // Fewer than asked for may be because of a signal of ours.
    if (found == 0 || what.off >= kMost) return 0;
  }
}

int PtraceAtSyscallEntry(pid_t tid, bool* entry) {
  __ptrace_syscall_info info{};
  if (Call(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) < 0) return errno;
  *entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
  return 0;
}

AddressRange PtraceRseq(pid_t tid) {
  RseqConfiguration configuration{};
  if (Call(kGetRseqConfiguration, tid, sizeof(configuration), &configuration) < 0) return {};
  const TargetAddress address{configuration.address};
  return {address, address + Bytes{configuration.size}};
}

int PtraceGetSyscallUserDispatch(pid_t tid, SyscallUserDispatch* config) {
  return CallForErrno(kGetSyscallUserDispatchConfig, tid, sizeof(*config), config);
}

int PtraceSetSyscallUserDispatch(pid_t tid, const SyscallUserDispatch& config) {
  SyscallUserDispatch copy = config;
  return CallForErrno(kSetSyscallUserDispatchConfig, tid, sizeof(copy), &copy);
}

}  // namespace stillframe
