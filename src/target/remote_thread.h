// A thread of the target, stopped so that system calls can be run in it and undone without a trace.
#ifndef STILLFRAME_TARGET_REMOTE_THREAD_H_
#define STILLFRAME_TARGET_REMOTE_THREAD_H_

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstdint>

#include "stillframe/units.h"
#include "sys/tracee.h"
#include "target/helper_lease.h"

namespace stillframe {

// Sleeps until a tracee of this thread has news, or a millisecond: a SIGCHLD that told of an
// earlier one may have swallowed this one's. SIGCHLD must be blocked.
void AwaitTraceeNews();

// Used in the injection helper only: it waits for SIGCHLD, which must be blocked and not ignored
// there.
//
// What keeps the target whole:
// - The registers are put back only in a stop of the kind kTrap or kGroupStop. There the kernel has
// not decided yet whether to restart
//   the system call that was interrupted, and decides by orig_rax and rax; so a sleeping nanosleep
//   or futex goes on as if nothing had been.
// - orig_rax is -1 while ours run, or the kernel would restart the interrupted call in the middle
// of them.
// - All signals are blocked meanwhile, so that no handler sees our registers; they stay pending and
// arrive afterwards.
// - The stack is not touched, and nothing returns, so a shadow stack has nothing to object to.
//
// No allocation. Thread rule: the thread that made it.
class RemoteThread {
 public:
  // `lease` is held while the thread is changed.
  explicit RemoteThread(HelperLease* lease) : lease_(lease) {}
  RemoteThread(const RemoteThread&) = delete;
  RemoteThread& operator=(const RemoteThread&) = delete;
  // Puts everything back and lets the thread run.
  ~RemoteThread() { Release(); }

  // Seizes and stops a thread; none may be held already. ETIMEDOUT when it did not stop in time: it
  // stays seized and will stop some time, which is the caller's to look after. ENOEXEC when it runs
  // 32-bit code, ESRCH when it is gone, EPERM when it can't be traced.
  int Stop(pid_t tid, TimePoint deadline);

  // What the thread was doing.
  const user_regs_struct& registers() const { return saved_; }
  bool in_system_call() const { return static_cast<int64_t>(saved_.orig_rax) >= 0; }

  // Sets the stage for Call; from here on the thread is ours until Restore or Release.
  // `instruction`: where bytes 0f 05 stand. ECANCELED when the lease was revoked.
  int Begin(TargetAddress instruction);
  // Runs one system call, which must not block. Its result as the kernel gives it: below zero
  // -errno. -ESRCH when the thread was killed.
  int64_t Call(int64_t number, std::array<uint64_t, 6> arguments = {});

  // Puts everything back; the thread goes on standing still. 0, or ESRCH when it was killed.
  int Restore();
  // Returns 0, or ESRCH when the thread was killed: then nothing of the above can be relied on.
  int Release();
  // True when the thread was killed while it stood still. Takes note of that, which an exec of
  // another thread may be waiting for.
  bool CheckGone();

  pid_t tid() const { return tid_; }
  bool gone() const { return gone_; }
  // From the moment the thread was asked to stop to its release.
  Duration stopped_time() const { return stopped_time_; }

 private:
  enum class Goal { kStop, kSyscallEntry, kSyscallExit };

  int WaitFor(Goal goal, const TimePoint* deadline);
  // True when this is what is waited for; else the thread was resumed.
  bool Accept(ThreadStop stop, Goal goal);
  void PassOn(int signal, Goal goal);
  int PutBack();
  void AwaitDeath();

  HelperLease* lease_;
  pid_t tid_ = 0;              // 0: none stands still
  bool changed_ = false;       // registers or mask are not the thread's own
  bool past_syscall_ = false;  // in an exit stop, where the registers can't be put back yet
  bool gone_ = false;
  TargetAddress instruction_;
  user_regs_struct saved_{};
  uint64_t saved_mask_ = 0;
  SyscallUserDispatch saved_dispatch_;
  TimePoint asked_;
  Duration stopped_time_{0};
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_REMOTE_THREAD_H_
