#include "target/thread_stopper.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"

namespace stillframe {
namespace {

constexpr int kTries = 10;
constexpr Duration kBetweenTries = std::chrono::milliseconds(20);
// How long a thread that is being killed, or that would not stop, is waited for in the end.
constexpr Duration kLastWait = std::chrono::seconds(1);

void SleepFor(Duration time) {
  const timespec wait{.tv_sec = 0, .tv_nsec = static_cast<long>(time.count())};
  nanosleep(&wait, nullptr);
}

// Between two looks at threads that are on their way: they need this CPU to get there.
void GiveWay(int look) {
  if (look < 16) {
    sched_yield();
  } else {
    SleepFor(std::chrono::microseconds(20));
  }
}

}  // namespace

ThreadStopper::~ThreadStopper() { Resume(); }

Result<void> ThreadStopper::Stop(Duration timeout) {
  if (stopped_) return {};
  reaper_ = std::make_unique<TraceeReaper>();
  for (int i = 0; i < kTries; ++i) {
    // Seizing stops nobody, so it is done before the clock runs.
    size_t found = 0;
    auto seized = SeizeNew(&found);
    asked_ = MonotonicClock().Now();
    auto all = seized ? TryToStop(asked_ + timeout) : tl::unexpected(std::move(seized).error());
    if (!all) {
      GiveUp();
      return tl::unexpected(std::move(all).error());
    }
    if (*all) {
      stopped_ = true;
      FailPoint("pause.collected");
      return {};
    }
    if (i + 1 == kTries) break;
    ReleaseAll();
    SleepFor(kBetweenTries);
  }
  const Error error = TooSlow();
  GiveUp();
  return tl::unexpected(error);
}

// A seized thread can be let go of only once it stopped.
void ThreadStopper::GiveUp() {
  AskAll();
  Resume();
}

Result<bool> ThreadStopper::TryToStop(TimePoint end) {
  for (;;) {
    AskAll();
    if (!CollectAll(end)) return false;
    // A thread may have been born by one that had not stopped yet.
    size_t found = 0;
    STILLFRAME_TRY(SeizeNew(&found));
    if (found == 0) break;
  }
  if (StoppedThreads().empty()) {
    return Fail(ErrorCode::kTargetGone, "stopping process " + std::to_string(pid_) + ": it exited");
  }
  return true;
}

Result<void> ThreadStopper::SeizeNew(size_t* found) {
  *found = 0;
  NumberedEntries tids(directory_, "task");
  while (const pid_t tid = tids.Next()) {
    const auto known = threads_.find(tid);
    if (known != threads_.end() && !known->second.gone) continue;
    // To stop a worker of io_uring would end the target's read or write that it is busy with, with
    // EINTR. What workers write into armed memory faults as anything else does.
    const auto stat = ReadStat(directory_, TaskPath(tid, "stat").c_str());
    if (!stat || stat->dead() || stat->kernel_worker()) continue;
    STILLFRAME_ASSIGN(const bool seized, Seize(tid));
    if (!seized) continue;
    threads_[tid] = Thread{};
    ++*found;
  }
  return {};
}

Result<bool> ThreadStopper::Seize(pid_t tid) {
  const int error = reaper_->Seize(tid);
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

bool ThreadStopper::CollectAll(TimePoint end) {
  for (int look = 0;; ++look) {
    bool all = true;
    for (auto& [tid, thread] : threads_) {
      if (!thread.stopped && !thread.gone) Collect(tid, &thread);
      all = all && (thread.stopped || thread.gone);
    }
    if (all) return true;
    if (MonotonicClock().Now() >= end) return false;
    if (look % 64 == 63) ForgetLost();
    GiveWay(look);
  }
}

// Who tells nothing may have nothing to tell any more. An exec puts the calling thread in the place
// of the leader, and if that one was not seized, no tracee of ours has the number now. A leader
// that exits while its threads live on tells its tracer nothing before they are gone too.
void ThreadStopper::ForgetLost() {
  for (auto& [tid, thread] : threads_) {
    if (thread.stopped || thread.gone || !thread.asked) continue;
    if (PtraceInterrupt(tid) == ESRCH) {
      PtraceReapIfDead(tid);
      thread.gone = true;
    } else if (tid == pid_) {
      const auto stat = ReadStat(directory_, "stat");
      thread.gone = stat && stat->dead();
    }
  }
}

void ThreadStopper::Collect(pid_t tid, Thread* thread) {
  const ThreadStop stop = PtracePoll(tid);
  switch (stop.kind) {
    case StopKind::kRunning:
      return;
    case StopKind::kGone:
      thread->gone = true;
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
  if (PtracePoll(tid).kind == StopKind::kGone) thread->gone = true;
}

void ThreadStopper::ReleaseAll() {
  for (auto& [tid, thread] : threads_) Release(tid, &thread);
  std::erase_if(threads_, [](const auto& entry) { return entry.second.gone; });
}

void ThreadStopper::Resume() {
  ReleaseAll();
  if (stopped_) stopped_time_ = MonotonicClock().Now() - asked_;
  stopped_ = false;
  // Only threads that are dying are left here, or after a Stop that failed those that would not
  // stop. They must be let go of when they do, or they would stand for ever.
  const TimePoint end = MonotonicClock().Now() + kLastWait;
  for (int look = 0; !threads_.empty() && MonotonicClock().Now() < end; ++look) {
    GiveWay(look);
    ReleaseAll();
    if (look % 64 == 63) ForgetLost();
  }
  reaper_.reset();
}

std::vector<pid_t> ThreadStopper::StoppedThreads() const {
  std::vector<pid_t> tids;
  for (const auto& [tid, thread] : threads_) {
    if (thread.stopped && !thread.gone) tids.push_back(tid);
  }
  std::stable_partition(tids.begin(), tids.end(), [&](pid_t tid) { return tid == pid_; });
  return tids;
}

Duration ThreadStopper::StoppedTime() const {
  return stopped_ ? MonotonicClock().Now() - asked_ : stopped_time_;
}

Error ThreadStopper::TooSlow() const {
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
                     ": some of its threads did not stop in " + std::to_string(kTries) +
                     " tries: " + names,
          .hint =
              "a thread that waits for a disk, a network file system or a vfork child can't be "
              "stopped; raise the stop timeout, or try again later"};
}

}  // namespace stillframe
