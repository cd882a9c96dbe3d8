// ptrace(2), typed. Everything returns 0 or errno and allocates nothing, so that it can be used in
// a forked helper.
//
// A tracee belongs to the *thread* that seized it; all of this must be called by that one.
#ifndef STILLFRAME_SYS_TRACEE_H_
#define STILLFRAME_SYS_TRACEE_H_

#include <sys/types.h>
#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "stillframe/units.h"

namespace stillframe {

enum class StopKind {
  kRunning,  // nothing to tell yet
  kTrap,  // PTRACE_EVENT_STOP after PTRACE_INTERRUPT: the thread is about to return to user mode,
          // in get_signal()
  kGroupStop,  // PTRACE_EVENT_STOP as part of a stopped job; as good as kTrap
  kSignal,     // a signal is about to be delivered: pass it on
  kSyscall,    // entry or exit of a system call
  kOther,      // any other event; none is asked for here
  kGone,       // exited, or another thread's exec removed it
};

struct ThreadStop {
  StopKind kind = StopKind::kRunning;
  int signal = 0;  // kSignal: which; kGroupStop: what stopped the job
};

enum class ResumeUntil {
  kStop,     // PTRACE_CONT
  kSyscall,  // PTRACE_SYSCALL: the next entry or exit of a system call as well
};

// EPERM for a thread that is dead, a kernel worker, traced already, or not ours to trace.
int PtraceSeize(pid_t tid);
// Until it is detached a stopped thread's seccomp filters let everything pass. EPERM without
// CAP_SYS_ADMIN, or when we are filtered ourselves; EINVAL where the kernel can't.
int PtraceSuspendSeccomp(pid_t tid);
// Asks a thread to stop with kTrap. May be asked of a stopped thread: it then stops again right
// after it is resumed.
int PtraceInterrupt(pid_t tid);
// A stopped thread is killed when its tracer ends, in whatever way. With `suspend_seccomp` as
// above.
int PtraceKillWithTracer(pid_t tid, bool suspend_seccomp);
// A tracee that has a stop or its end to tell which nobody has asked for yet; 0 for none. It stays
// to be asked for. For a process whose tracees are its only children.
pid_t PtraceFindNews();
// What the thread did since it was last asked, without waiting. Reaps it as below when it is dead.
ThreadStop PtracePoll(pid_t tid);
// Takes note of a tracee's death, without which its process can't end; true when it is dead. Stops
// are left for PtracePoll. A process that is our own child stays a zombie, for the program we are
// in to wait for. May be called by any thread of the tracer's process.
bool PtraceReapIfDead(pid_t tid);
// `signal`: to deliver, 0 for none.
int PtraceResume(pid_t tid, ResumeUntil until, int signal);
// Of a stopped thread. It resumes, or goes on being stopped as part of its job.
int PtraceDetach(pid_t tid);

int PtraceGetRegisters(pid_t tid, user_regs_struct* registers);
int PtraceSetRegisters(pid_t tid, const user_regs_struct& registers);
// The same of a thread that runs 32-bit code at the moment as well, as it would have them in 64-bit
// code.
int PtraceGetWideRegisters(pid_t tid, user_regs_struct* registers);
// NT_* register set `kind` into `to`; `*size` becomes how many bytes there were.
int PtraceGetRegisterSet(pid_t tid, unsigned kind, std::span<std::byte> to, size_t* size);
// Bit n-1 for signal n.
int PtraceGetSignalMask(pid_t tid, uint64_t* mask);
int PtraceSetSignalMask(pid_t tid, uint64_t mask);
// Which signals that were sent to this very thread it has not taken yet, as above. Of those that
// are queued, many of one kind perhaps, the first 256 are looked at.
int PtraceGetPendingSignals(pid_t tid, uint64_t* signals);

// Whether a thread that stopped with kSyscall is entering (true) or leaving one.
int PtraceAtSyscallEntry(pid_t tid, bool* entry);

// Where the thread's struct rseq is; empty where it has none or the kernel doesn't tell.
AddressRange PtraceRseq(pid_t tid);

// Syscall User Dispatch of a thread, as PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG has it (6.4).
struct SyscallUserDispatch {
  uint64_t mode = 0;  // 0 off
  uint64_t selector = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};
int PtraceGetSyscallUserDispatch(pid_t tid, SyscallUserDispatch* config);
int PtraceSetSyscallUserDispatch(pid_t tid, const SyscallUserDispatch& config);

}  // namespace stillframe

#endif  // STILLFRAME_SYS_TRACEE_H_
