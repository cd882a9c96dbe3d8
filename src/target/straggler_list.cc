#include "target/straggler_list.h"

#include "sys/tracee.h"

namespace stillframe {
namespace {

// True when it needs no more looking after.
bool LetGo(pid_t tid) {
  const ThreadStop stop = PtracePoll(tid);
  switch (stop.kind) {
    case StopKind::kRunning:
      return false;
    case StopKind::kGone:
      return true;
    case StopKind::kTrap:
    case StopKind::kGroupStop:
      return PtraceDetach(tid) == 0;
    default:
      // On the way to the stop that was asked for; a signal is passed on.
      PtraceInterrupt(tid);
      PtraceResume(tid, ResumeUntil::kStop, stop.signal);
      return false;
  }
}

}  // namespace

void StragglerList::Add(pid_t tid) {
  if (count_ < tids_.size()) tids_[count_++] = tid;
}

void StragglerList::Poll() {
  size_t kept = 0;
  for (size_t i = 0; i < count_; ++i) {
    if (!LetGo(tids_[i])) tids_[kept++] = tids_[i];
  }
  count_ = kept;
}

}  // namespace stillframe
