// The child that a target was made to fork, as its tracer sees it: it never runs an instruction of
// its program.
#ifndef STILLFRAME_TARGET_FORKED_CHILD_H_
#define STILLFRAME_TARGET_FORKED_CHILD_H_

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "stillframe/units.h"
#include "target/injection_report.h"
#include "target/remote_thread.h"

namespace stillframe {

// Used in the fork helper only, which has no other children. No allocation. Thread rule: the
// tracer.
class ForkedChild {
 public:
  enum class State {
    kNone,
    kAlive,   // stopped
    kDying,   // killed, by us or by somebody
    kZombie,  // its tracer knows; the target has to be made to wait for it
  };

  // Makes `thread`, which was begun, fork. Returns what clone(2) did: the child's pid in the
  // target, or below zero -errno.
  //
  // With exit signal 0 the target is told nothing of the child's end, and sees it in no wait that
  // has neither __WCLONE nor __WALL. CLONE_PTRACE: it is ours before it exists. CLONE_FILES: see
  // Settle. Its stack pointer leads nowhere: should it ever be let go, it must not run on as a
  // second copy of the target.
  int64_t Fork(RemoteThread* thread);

  // After a Fork that worked: awaits the child's first stop, makes it die with us, and takes away
  // what it shares with the target beside memory. `forker`: the thread that forked it.
  InjectionFailure Settle(pid_t forker, TargetAddress instruction, bool suspend_seccomp);

  // A child that is a zombie already, whose tracer has died.
  void AdoptZombie(pid_t pid_in_target, int pidfd);

  // Looks what has become of it.
  void Poll();
  void Kill();
  // True when the target, or whoever inherited it, has waited for it.
  bool IsReaped() const;
  void Forget();

  State state() const { return state_; }
  pid_t pid() const { return pid_; }
  pid_t pid_in_target() const { return pid_in_target_; }
  int memory() const { return memory_.get(); }
  int pagemap() const { return pagemap_.get(); }
  int pidfd() const { return pidfd_.get(); }

 private:
  InjectionFailure Find();
  bool LookForIt();
  bool Open();
  int Shed(TargetAddress instruction);
  int AwaitFirstStop();
  int AwaitSyscallEntry();

  State state_ = State::kNone;
  pid_t forker_ = 0;
  bool shedding_ = false;  // on its way out of its one system call
  pid_t pid_ = 0;          // 0 while only the target's number for it is known
  pid_t pid_in_target_ = 0;
  UniqueFd pidfd_;
  UniqueFd memory_;
  UniqueFd pagemap_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_FORKED_CHILD_H_
