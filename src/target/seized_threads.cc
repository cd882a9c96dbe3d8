#include "target/seized_threads.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/fail_point.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"
#include "sys/tracee.h"

namespace stillframe {

// The kernel counts the threads in the number of links of the directory, which is read far quicker
// than the directory itself. As many as are held: then there is no other one. More may be kernel
// workers and the dead.
bool SeizedThreads::HoldsAll(size_t others) const {
  if (lost_) return false;  // one of those may have become another by exec
  return CountThreads() == Stopped().size() + others;
}

size_t SeizedThreads::CountThreads() const {
  constexpr size_t kOtherLinks = 2;
  struct stat task {};
  return fstatat(directory_, "task", &task, 0) == 0 ? task.st_nlink - kOtherLinks : 0;
}

bool SeizedThreads::IsOurs(pid_t tid) const {
  const auto status = ReadStatus(directory_, TaskPath(tid, "status").c_str());
  return status && status->tracer == gettid();
}

std::vector<pid_t> SeizedThreads::FindNew(pid_t foreign,
                                          const std::function<bool(pid_t)>& leave_out,
                                          bool* whole) const {
  std::vector<pid_t> found;
  size_t others = 0;
  NumberedEntries tids(directory_, "task");
  while (const pid_t tid = tids.Next()) {
    const auto known = threads_.find(tid);
    const bool done = known != threads_.end() && (!known->second.gone || known->second.passed);
    if (done || (tid == foreign && !IsOurs(tid))) {
      ++others;
      continue;
    }
    // To stop a worker of io_uring would end the target's read or write that it is busy with, with
    // EINTR. What workers write into armed memory faults as anything else does.
    const auto stat = ReadStat(directory_, TaskPath(tid, "stat").c_str());
    if (!stat) continue;
    const bool alive = !stat->dead() && !stat->kernel_worker();
    if (alive && leave_out && leave_out(tid)) {
      ++others;
      continue;
    }
    if (alive) found.push_back(tid);
    // A leader that died stays in the list until the last of the others is gone.
    if (stat->kernel_worker() || (stat->dead() && tid == pid_)) ++others;
  }
  // The list is no snapshot: who was born while it was read may be missing from it.
  *whole = CountThreads() == others + found.size();
  return found;
}

// One after the other: a thread that is seized stands when a signal comes, until it is looked at.
Result<SeizedThreads::Look> SeizedThreads::SeizeNew(pid_t foreign,
                                                    const std::function<bool(pid_t)>& leave_out) {
  Look look;
  for (const pid_t tid : FindNew(foreign, leave_out, &look.whole)) {
    STILLFRAME_ASSIGN(const bool seized, Seize(tid));
    if (!seized) {
      look.whole = false;  // it may have borne another before it died
      continue;
    }
    threads_[tid] = Thread{};
    ++look.found;
  }
  return look;
}

Result<bool> SeizedThreads::Seize(pid_t tid) {
  const int error = reaper_.Seize(tid);
  FailPoint("pause.seize");
  if (error == 0) return true;
  if (error == ESRCH) return false;
  const auto status = ReadStatus(directory_, TaskPath(tid, "status").c_str());
  if (!status || status->dead()) return false;
  // A thread of ours that took its leader's place by exec.
  if (status->tracer == gettid()) return true;
  const std::string what =
      "stopping thread " + std::to_string(tid) + " of process " + std::to_string(pid_);
  if (status->tracer != 0) {
    return Fail(ErrorCode::kPermission,
                what + ": process " + std::to_string(status->tracer) + " traces it already",
                "end that debugger or tracer first");
  }
  return FailErrno(error, what, "run as root, or with CAP_SYS_PTRACE");
}

void SeizedThreads::AskAll() {
  for (auto& [tid, thread] : threads_) {
    if (thread.asked || thread.stopped || thread.gone) continue;
    thread.asked = true;
    PtraceInterrupt(tid);  // fails for one that died, which is found out when it is collected
    FailPoint("pause.interrupt");
  }
}

// An exec puts the calling thread in the place of the leader, and if that one was not seized, no
// tracee of ours has the number now. A leader that exits while its threads live on tells its tracer
// nothing before they are gone too.
void SeizedThreads::ForgetLost() {
  for (auto& [tid, thread] : threads_) {
    if (thread.stopped || thread.gone || !thread.asked) continue;
    if (PtraceInterrupt(tid) == ESRCH) {
      PtraceReapIfDead(tid);
      Lose(&thread);
    } else if (tid == pid_) {
      const auto stat = ReadStat(directory_, "stat");
      if (stat && stat->dead()) Lose(&thread);
    }
  }
}

void SeizedThreads::Lose(Thread* thread) {
  thread->gone = true;
  lost_ = true;
}

void SeizedThreads::Collect(pid_t tid, Thread* thread) {
  const ThreadStop stop = PtracePoll(tid);
  switch (stop.kind) {
    case StopKind::kRunning:
      return;
    case StopKind::kGone:
      Lose(thread);
      return;
    case StopKind::kTrap:
    case StopKind::kGroupStop:
      thread->stopped = true;
      return;
    case StopKind::kSignal:
    case StopKind::kSyscall:
    case StopKind::kOther:
      // Any stop clears a pending interrupt. Asked again, the thread stops before its handler runs
      // a single instruction.
      PtraceInterrupt(tid);
      PtraceResume(tid, ResumeUntil::kStop, stop.signal);
      FailPoint("pause.signal-passed");
      return;
  }
}

void SeizedThreads::Release(pid_t tid, Thread* thread) {
  if (!thread->stopped && !thread->gone) Collect(tid, thread);
  if (!thread->stopped || thread->gone) return;
  if (PtraceDetach(tid) == 0) {
    FailPoint("pause.detach");
    thread->gone = true;
    return;
  }
  // Killed while it was stopped: as its tracer we have to take note of that, or it stays a zombie.
  if (PtracePoll(tid).kind == StopKind::kGone) Lose(thread);
}

void SeizedThreads::DropGone() {
  std::erase_if(threads_, [](const auto& entry) { return entry.second.gone; });
}

bool SeizedThreads::Forget() {
  DropGone();
  const bool let_go = threads_.empty() && !std::exchange(lost_, false);
  threads_.clear();
  reaper_.Forget();
  return let_go;
}

std::vector<pid_t> SeizedThreads::Stopped() const {
  std::vector<pid_t> tids;
  for (const auto& [tid, thread] : threads_) {
    if (thread.stopped && !thread.gone) tids.push_back(tid);
  }
  return tids;
}

std::string SeizedThreads::Waiting() const {
  std::string names;
  for (const auto& [tid, thread] : threads_) {
    if (thread.stopped || thread.gone) continue;
    std::array<char, 64> buffer;
    std::string_view name = ReadSmallFile(directory_, TaskPath(tid, "comm").c_str(), buffer);
    if (name.ends_with('\n')) name.remove_suffix(1);
    names += (names.empty() ? "" : ", ") + std::to_string(tid) + " (" + std::string(name) + ")";
  }
  return names;
}

}  // namespace stillframe
