#include "target/remote_thread.h"

#include <signal.h>

#include <cerrno>

#include "base/clock.h"
#include "base/fail_point.h"

namespace stillframe {
namespace {

constexpr uint64_t kAllSignals = ~uint64_t{0};
constexpr uint64_t kTrapFlag = 0x100;
constexpr Duration kLongestDeath = std::chrono::seconds(10);

}  // namespace

void AwaitTraceeNews() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  const timespec limit{.tv_sec = 0, .tv_nsec = 1'000'000};
  sigtimedwait(&set, nullptr, &limit);
}

int RemoteThread::Stop(pid_t tid, TimePoint deadline) {
  gone_ = false;
  if (const int error = PtraceSeize(tid)) return error;
  FailPoint("ptrace.seize");
  asked_ = MonotonicClock().Now();
  // Fails for a thread that has died since. That has to be taken note of, like any tracee's death,
  // or an exec that waits for it would make the next seizing wait for ever (tracee_reaper.h).
  PtraceInterrupt(tid);
  FailPoint("ptrace.interrupt");
  tid_ = tid;
  if (const int error = WaitFor(Goal::kStop, &deadline)) {
    tid_ = 0;
    return error;
  }
  FailPoint("ptrace.stopped");
  return PtraceGetRegisters(tid, &saved_);
}

int RemoteThread::Begin(TargetAddress instruction) {
  instruction_ = instruction;
  if (const int error = PtraceGetSignalMask(tid_, &saved_mask_)) return error;
  // A dispatcher (wine has one) would send our calls to the target's SIGSYS handler.
  if (PtraceGetSyscallUserDispatch(tid_, &saved_dispatch_) != 0) saved_dispatch_ = {};
  if (!lease_->Take()) return ECANCELED;
  changed_ = true;
  if (saved_dispatch_.mode != 0) {
    if (const int error = PtraceSetSyscallUserDispatch(tid_, {})) return error;
  }
  const int error = PtraceSetSignalMask(tid_, kAllSignals);
  FailPoint("ptrace.setsigmask");
  return error;
}

int64_t RemoteThread::Call(int64_t number, std::array<uint64_t, 6> arguments) {
  if (gone_) return -ESRCH;
  user_regs_struct registers = saved_;
  registers.orig_rax = kAllSignals;  // -1: no system call to restart
  registers.rax = static_cast<uint64_t>(number);
  registers.rip = instruction_.value;
  registers.rdi = arguments[0];
  registers.rsi = arguments[1];
  registers.rdx = arguments[2];
  registers.r10 = arguments[3];
  registers.r8 = arguments[4];
  registers.r9 = arguments[5];
  registers.eflags &= ~kTrapFlag;
  if (const int error = PtraceSetRegisters(tid_, registers)) return -error;
  FailPoint("ptrace.setregs");
  for (const Goal goal : {Goal::kSyscallEntry, Goal::kSyscallExit}) {
    if (const int error = PtraceResume(tid_, ResumeUntil::kSyscall, 0)) return -error;
    past_syscall_ = true;
    if (const int error = WaitFor(goal, nullptr)) return -error;
    FailPoint(goal == Goal::kSyscallEntry ? "inject.syscall-entry" : "inject.syscall-exit");
  }
  if (const int error = PtraceGetRegisters(tid_, &registers)) return -error;
  return static_cast<int64_t>(registers.rax);
}

int RemoteThread::Restore() {
  int error = gone_ ? ESRCH : 0;
  if (!changed_) return error;
  if (error == 0) error = PutBack();
  changed_ = false;
  past_syscall_ = false;
  lease_->Drop();
  return error;
}

bool RemoteThread::CheckGone() {
  if (tid_ != 0 && !gone_) gone_ = PtracePoll(tid_).kind == StopKind::kGone;
  return gone_;
}

int RemoteThread::Release() {
  if (tid_ == 0) return 0;
  int error = Restore();
  if (error == 0) {
    error = PtraceDetach(tid_);
    FailPoint("ptrace.detach");
  }
  if (error != 0 && !gone_) AwaitDeath();
  stopped_time_ = MonotonicClock().Now() - asked_;
  tid_ = 0;
  return error;
}

// Of a thread that was killed while it stood still.
void RemoteThread::AwaitDeath() {
  const TimePoint end = MonotonicClock().Now() + kLongestDeath;
  while (!gone_ && MonotonicClock().Now() < end) {
    gone_ = PtracePoll(tid_).kind == StopKind::kGone;
    if (!gone_) AwaitTraceeNews();
  }
}

int RemoteThread::PutBack() {
  if (past_syscall_) {
    if (const int error = PtraceInterrupt(tid_)) return error;
    if (const int error = PtraceResume(tid_, ResumeUntil::kStop, 0)) return error;
    if (const int error = WaitFor(Goal::kStop, nullptr)) return error;
    FailPoint("inject.stopped-again");
  }
  if (const int error = PtraceSetRegisters(tid_, saved_)) return error;
  FailPoint("inject.restore");
  if (saved_dispatch_.mode != 0) PtraceSetSyscallUserDispatch(tid_, saved_dispatch_);
  const int error = PtraceSetSignalMask(tid_, saved_mask_);
  FailPoint("inject.restore-mask");
  return error;
}

// Without a deadline it waits for as long as the thread lives: to walk away from changed registers
// would kill the target.
int RemoteThread::WaitFor(Goal goal, const TimePoint* deadline) {
  for (;;) {
    const ThreadStop stop = PtracePoll(tid_);
    if (stop.kind == StopKind::kGone) {
      gone_ = true;
      return ESRCH;
    }
    if (stop.kind != StopKind::kRunning) {
      if (Accept(stop, goal)) return 0;
      continue;
    }
    if (deadline != nullptr && MonotonicClock().Now() >= *deadline) return ETIMEDOUT;
    AwaitTraceeNews();
  }
}

bool RemoteThread::Accept(ThreadStop stop, Goal goal) {
  switch (stop.kind) {
    case StopKind::kTrap:
    case StopKind::kGroupStop:
      if (goal == Goal::kStop) return true;
      // The job was stopped meanwhile: this thread joins it when it is let go.
      break;
    case StopKind::kSyscall: {
      bool entry = false;
      PtraceAtSyscallEntry(tid_, &entry);
      if (goal == Goal::kSyscallEntry && entry) return true;
      if (goal == Goal::kSyscallExit && !entry) return true;
      break;
    }
    default:
      break;
  }
  PassOn(stop.kind == StopKind::kSignal ? stop.signal : 0, goal);
  return false;
}

void RemoteThread::PassOn(int signal, Goal goal) {
  // Any stop clears a pending interrupt, so it is asked for again.
  if (goal == Goal::kStop) PtraceInterrupt(tid_);
  PtraceResume(tid_, goal == Goal::kStop ? ResumeUntil::kStop : ResumeUntil::kSyscall, signal);
}

}  // namespace stillframe
