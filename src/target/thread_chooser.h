// Finds a thread of the target that system calls can be run in, and stops it.
#ifndef STILLFRAME_TARGET_THREAD_CHOOSER_H_
#define STILLFRAME_TARGET_THREAD_CHOOSER_H_

#include <sys/types.h>

#include "base/unique_fd.h"
#include "stillframe/units.h"
#include "target/injection_report.h"
#include "target/remote_thread.h"
#include "target/syscall_instruction.h"

namespace stillframe {

// What a use asks of a thread, beside what all of them do.
class ThreadCheck {
 public:
  virtual ~ThreadCheck() = default;
  // Of a stopped thread. EAGAIN, ESRCH and ETIMEDOUT are errors that pass by themselves.
  virtual InjectionFailure Check(pid_t tid) = 0;
};

struct ChosenThread {
  UniqueFd memory;            // its /proc/PID/mem, read-write
  TargetAddress instruction;  // for RemoteThread::Begin
  bool seccomp = false;       // it has a filter, which is suspended
};

// Used in the injection helper only. No allocation. Thread rule: one thread.
class ThreadChooser {
 public:
  // `process`: /proc/PID. `known`: where its code is, when the caller knows; else it is looked for
  // once a thread stands still. `check` may be null. All are borrowed.
  ThreadChooser(int process, const ExecutableRanges* known, ThreadCheck* check)
      : process_(process), known_(known), check_(check) {}

  // True: `thread` stands still, unchanged. False: failure() says why none does.
  bool Stop(RemoteThread* thread, TimePoint deadline, ChosenThread* chosen);

  InjectionFailure failure() const { return failure_; }
  // The thread that was chosen, or tried last.
  pid_t tried() const { return tried_; }

 private:
  enum class Pass { kInSystemCall, kAwake, kAny };
  enum class Outcome { kFound, kNone, kOver };

  Outcome TryThreads(Pass pass);
  bool Suits(pid_t tid, Pass pass) const;
  bool TryThread(pid_t tid);
  InjectionFailure Prepare(pid_t tid);
  void Note(InjectionFailure failure);
  bool IsDead(pid_t tid) const;

  int process_;
  const ExecutableRanges* known_;
  ThreadCheck* check_;
  // Of the call.
  RemoteThread* thread_ = nullptr;
  ChosenThread* chosen_ = nullptr;
  TimePoint deadline_;
  // Some thread was of no use for a reason that passes by itself.
  bool worth_another_round_ = false;
  InjectionFailure failure_{.step = InjectionStep::kFindThread};
  pid_t tried_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_THREAD_CHOOSER_H_
