#include "target/thread_stopper.h"

#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"
#include "target/tracer_priority.h"

namespace stillframe {
namespace {

constexpr int kTries = 10;
constexpr Duration kBetweenTries = std::chrono::milliseconds(20);
constexpr int kLooksBeforeSearch = 64;

void SleepFor(Duration time) {
  const timespec wait{.tv_sec = 0, .tv_nsec = static_cast<long>(time.count())};
  nanosleep(&wait, nullptr);
}

// Between two looks at a thread that is on its way: it may need this CPU to get there.
void GiveWay(int look) {
  constexpr int kQuickLooks = 16;
  constexpr int kManyLooks = 64;
  if (look < kQuickLooks) {
    sched_yield();
  } else {
    SleepFor(std::chrono::microseconds(look < kManyLooks ? 20 : 100));
  }
}

}  // namespace

Result<void> ThreadStopper::Stop(const PauseOptions& options, ForeignThread* foreign) {
  if (stopped_) return {};
  foreign_ = foreign;
  for (int i = 0; i < kTries; ++i) {
    STILLFRAME_ASSIGN(const bool all, Try(options));
    if (all) {
      times_ = {.stop = MonotonicClock().Now() - asked_};
      stopped_ = true;
      FailPoint("pause.collected");
      return {};
    }
    if (i + 1 == kTries) break;
    ReleaseAll();
    SleepFor(kBetweenTries);
  }
  return tl::unexpected(TooSlow());
}

Result<bool> ThreadStopper::Try(const PauseOptions& options) {
  STILLFRAME_TRY(CheckCancelled(options));
  size_t found = 0;
  bool whole = false;
  if (foreign_ == nullptr) {
    // Seizing stops nobody, so it is done before the clock runs.
    STILLFRAME_TRY(SeizeNew(&found, &whole));
    asked_ = MonotonicClock().Now();
  } else {
    // What we have seized nobody else can stop, so that one comes first.
    asked_ = MonotonicClock().Now();
    STILLFRAME_ASSIGN(const bool stopped, StopForeign(options));
    if (!stopped) return false;
    STILLFRAME_TRY(SeizeNew(&found, &whole));
  }
  return TryToStop(options);
}

Result<bool> ThreadStopper::StopForeign(const PauseOptions& options) {
  reaper_.BeginWaiting();
  const auto tid = foreign_->Stop(asked_ + options.stop_timeout, options);
  reaper_.EndWaiting();
  foreign_error_.reset();
  if (!tid && tid.error().code == ErrorCode::kLimit) {
    foreign_error_ = tid.error();
    return false;
  }
  STILLFRAME_ASSIGN(foreign_tid_, tid);
  return true;
}

Result<void> ThreadStopper::CheckCancelled(const PauseOptions& options) const {
  if (!options.cancelled || !options.cancelled()) return {};
  return Fail(ErrorCode::kInterrupted,
              "stopping process " + std::to_string(pid_) + ": interrupted");
}

Result<bool> ThreadStopper::TryToStop(const PauseOptions& options) {
  const TimePoint end = asked_ + options.stop_timeout;
  for (int look = 0;; ++look) {
    AskAll();
    STILLFRAME_ASSIGN(const bool collected, CollectAll(end, options));
    if (!collected) return false;
    // A thread may have been born by one that had not stopped yet.
    if (HoldsAll()) return true;
    size_t found = 0;
    bool whole = false;
    STILLFRAME_TRY(SeizeNew(&found, &whole));
    if (found > 0) continue;
    // Threads that bear one another and die can hide from each look, and run on.
    if (whole) break;
    if (MonotonicClock().Now() >= end) return false;
    STILLFRAME_TRY(CheckCancelled(options));
    GiveWay(look);
  }
  if (StoppedThreads().empty() && foreign_tid_ == 0) {
    return Fail(ErrorCode::kTargetGone, "stopping process " + std::to_string(pid_) + ": it exited");
  }
  return true;
}

// The kernel counts the threads in the number of links of the directory, which is read far quicker
// than the directory itself. As many as are held: then there is no other one. More may be kernel
// workers and the dead.
bool ThreadStopper::HoldsAll() const {
  if (lost_) return false;  // one of those may have become another by exec
  const auto stopped = std::ranges::count_if(
      threads_, [](const auto& entry) { return entry.second.stopped && !entry.second.gone; });
  return CountThreads() == static_cast<size_t>(stopped) + (foreign_tid_ != 0 ? 1 : 0);
}

size_t ThreadStopper::CountThreads() const {
  constexpr size_t kOtherLinks = 2;
  struct stat task {};
  return fstatat(directory_, "task", &task, 0) == 0 ? task.st_nlink - kOtherLinks : 0;
}

bool ThreadStopper::IsOurs(pid_t tid) const {
  const auto status = ReadStatus(directory_, TaskPath(tid, "status").c_str());
  return status && status->tracer == gettid();
}

std::vector<pid_t> ThreadStopper::FindNew(bool* whole) const {
  std::vector<pid_t> found;
  size_t others = 0;
  NumberedEntries tids(directory_, "task");
  while (const pid_t tid = tids.Next()) {
    const auto known = threads_.find(tid);
    const bool held = known != threads_.end() && !known->second.gone;
    if (held || (tid == foreign_tid_ && !IsOurs(tid))) {
      ++others;
      continue;
    }
    // To stop a worker of io_uring would end the target's read or write that it is busy with, with
    // EINTR. What workers write into armed memory faults as anything else does.
    const auto stat = ReadStat(directory_, TaskPath(tid, "stat").c_str());
    if (!stat) continue;
    if (!stat->dead() && !stat->kernel_worker()) found.push_back(tid);
    // A leader that died stays in the list until the last of the others is gone.
    if (stat->kernel_worker() || (stat->dead() && tid == pid_)) ++others;
  }
  // The list is no snapshot: who was born while it was read may be missing from it.
  *whole = CountThreads() == others + found.size();
  return found;
}

// One after the other: a thread that is seized stands when a signal comes, until it is looked at.
Result<void> ThreadStopper::SeizeNew(size_t* found, bool* whole) {
  *found = 0;
  for (const pid_t tid : FindNew(whole)) {
    STILLFRAME_ASSIGN(const bool seized, Seize(tid));
    if (!seized) {
      *whole = false;  // it may have borne another before it died
      continue;
    }
    threads_[tid] = Thread{};
    ++*found;
  }
  return {};
}

Result<bool> ThreadStopper::Seize(pid_t tid) {
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

void ThreadStopper::AskAll() {
  for (auto& [tid, thread] : threads_) {
    if (thread.asked || thread.stopped || thread.gone) continue;
    thread.asked = true;
    PtraceInterrupt(tid);  // fails for one that died, which is found out when it is collected
    FailPoint("pause.interrupt");
  }
}

// One after the other: all have to stop, so it is as well to wait for the first.
Result<bool> ThreadStopper::CollectAll(TimePoint end, const PauseOptions& options) {
  const StepBack back;
  for (auto& [tid, thread] : threads_) {
    for (int look = 0; !thread.stopped && !thread.gone; ++look) {
      Collect(tid, &thread);
      if (thread.stopped || thread.gone) break;
      if (MonotonicClock().Now() >= end) return false;
      STILLFRAME_TRY(CheckCancelled(options));
      if (look % kLooksBeforeSearch == kLooksBeforeSearch - 1) ForgetLost();
      GiveWay(look);
    }
  }
  return true;
}

// Who tells nothing may have nothing to tell any more. An exec puts the calling thread in the place
// of the leader, and if that one was not seized, no tracee of ours has the number now. A leader
// that exits while its threads live on tells its tracer nothing before they are gone too.
void ThreadStopper::ForgetLost() {
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

void ThreadStopper::Lose(Thread* thread) {
  thread->gone = true;
  lost_ = true;
}

void ThreadStopper::Collect(pid_t tid, Thread* thread) {
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

// One try to let go of a thread; whoever is still on its way to a stop, or to death, stays in the
// list.
void ThreadStopper::Release(pid_t tid, Thread* thread) {
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

void ThreadStopper::ReleaseAll() {
  if (foreign_tid_ != 0) foreign_->LetGo();
  for (auto& [tid, thread] : threads_) Release(tid, &thread);
  if (std::exchange(foreign_tid_, 0) != 0) foreign_->AwaitLetGo();
  std::erase_if(threads_, [](const auto& entry) { return entry.second.gone; });
}

bool ThreadStopper::Resume() {
  const TimePoint begin = MonotonicClock().Now();
  ReleaseAll();
  const TimePoint end = MonotonicClock().Now();
  if (stopped_) {
    times_.resume = end - begin;
    stopped_time_ = end - asked_;
  }
  stopped_ = false;
  foreign_ = nullptr;
  const bool let_go = threads_.empty() && !std::exchange(lost_, false);
  threads_.clear();
  reaper_.Forget();
  return let_go;
}

std::vector<pid_t> ThreadStopper::StoppedThreads() const {
  std::vector<pid_t> tids;
  for (const auto& [tid, thread] : threads_) {
    if (thread.stopped && !thread.gone) tids.push_back(tid);
  }
  return tids;
}

Duration ThreadStopper::StoppedTime() const {
  return stopped_ ? MonotonicClock().Now() - asked_ : stopped_time_;
}

Error ThreadStopper::TooSlow() const {
  if (foreign_error_) return *foreign_error_;
  std::string names;
  for (const auto& [tid, thread] : threads_) {
    if (thread.stopped || thread.gone) continue;
    std::array<char, 64> buffer;
    std::string_view name = ReadSmallFile(directory_, TaskPath(tid, "comm").c_str(), buffer);
    if (name.ends_with('\n')) name.remove_suffix(1);
    names += (names.empty() ? "" : ", ") + std::to_string(tid) + " (" + std::string(name) + ")";
  }
  return {.code = ErrorCode::kLimit,
          .message = "stopping process " + std::to_string(pid_) +
                     ": some of its threads did not stop in " + std::to_string(kTries) + " tries" +
                     (names.empty() ? names : ": " + names),
          .hint =
              "a thread that waits for a disk, a network file system or a vfork child can't be "
              "stopped; raise the stop timeout, or try again later"};
}

}  // namespace stillframe
