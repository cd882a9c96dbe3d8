#include "target/thread_chooser.h"

#include <fcntl.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"
#include "sys/tracee.h"
#include "target/executable_scan.h"

namespace stillframe {

bool ThreadChooser::Stop(RemoteThread* thread, TimePoint deadline, ChosenThread* chosen) {
  constexpr timespec kBetween{.tv_sec = 0, .tv_nsec = 2'000'000};
  thread_ = thread;
  chosen_ = chosen;
  deadline_ = deadline;
  failure_ = {.step = InjectionStep::kFindThread};
  for (;;) {
    worth_another_round_ = false;
    // A thread that waits in a system call is stopped at no cost, and shows where a syscall
    // instruction is. One that can't be woken (state D: a disk, a vfork child) is the last resort.
    for (const Pass pass : {Pass::kInSystemCall, Pass::kAwake, Pass::kAny}) {
      const Outcome outcome = TryThreads(pass);
      if (outcome != Outcome::kNone) return outcome == Outcome::kFound;
    }
    if (!worth_another_round_ || MonotonicClock().Now() >= deadline_) return false;
    nanosleep(&kBetween, nullptr);
  }
}

ThreadChooser::Outcome ThreadChooser::TryThreads(Pass pass) {
  NumberedEntries threads(process_, "task");
  while (const pid_t tid = threads.Next()) {
    if (MonotonicClock().Now() >= deadline_) {
      if (failure_.error == 0) failure_.error = ETIMEDOUT;
      return Outcome::kNone;
    }
    if (Suits(tid, pass) && TryThread(tid)) return Outcome::kFound;
  }
  if (threads.error() == 0) return Outcome::kNone;
  failure_ = {.step = InjectionStep::kRelease, .error = ESRCH};
  return Outcome::kOver;
}

bool ThreadChooser::Suits(pid_t tid, Pass pass) const {
  const auto stat = ReadStat(process_, TaskPath(tid, "stat").c_str());
  if (!stat || stat->dead() || stat->kernel_worker()) return false;
  if (pass == Pass::kAny) return true;
  if (stat->state == 'D') return false;
  if (pass == Pass::kAwake) return true;
  std::array<char, 256> buffer;
  const std::string_view call = ReadSmallFile(process_, TaskPath(tid, "syscall").c_str(), buffer);
  // "running", or the number of the call; -1: waiting, but in no call.
  return !call.empty() && call.front() >= '0' && call.front() <= '9';
}

bool ThreadChooser::TryThread(pid_t tid) {
  tried_ = tid;
  // Not with a limit for each thread: one that was seized and given up on could die unnoticed, and
  // with an exec that waits for that the next seizing would never end (tracee_reaper.h).
  const int error = thread_->Stop(tid, deadline_);
  if (error == ENOEXEC) {
    Note({InjectionStep::kThirtyTwoBit, error});
  } else if (error == EPERM && !IsDead(tid)) {
    Note({InjectionStep::kSeize, error});
  } else if (error != 0) {
    Note({InjectionStep::kFindThread, error == EPERM ? ESRCH : error});
  } else {
    Note(Prepare(tid));
    if (failure_.step == InjectionStep::kDone) return true;
  }
  thread_->Release();
  return false;
}

InjectionFailure ThreadChooser::Prepare(pid_t tid) {
  const auto status = ReadStatus(process_, TaskPath(tid, "status").c_str());
  if (!status) return {InjectionStep::kOpenMemory, errno};
  *chosen_ = ChosenThread{};
  chosen_->memory.reset(openat(process_, TaskPath(tid, "mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!chosen_->memory) return {InjectionStep::kOpenMemory, errno};
  const int memory = chosen_->memory.get();
  if (InRestartableSequence(memory, PtraceRseq(tid).begin, thread_->registers())) {
    return {InjectionStep::kFindThread, EAGAIN};
  }
  if (check_ != nullptr) {
    if (const auto failure = check_->Check(tid); failure.step != InjectionStep::kDone) {
      return failure;
    }
  }
  chosen_->seccomp = status->seccomp != 0;
  if (chosen_->seccomp) {
    // Read while it stands still: no filter can be added any more.
    if (const int error = PtraceSuspendSeccomp(tid)) {
      return {InjectionStep::kSuspendSeccomp, error};
    }
    FailPoint("ptrace.suspend-seccomp");
  }
  const ExecutableRanges none;
  auto instruction =
      FindSyscallInstruction(memory, thread_->registers(), known_ != nullptr ? *known_ : none);
  if (!instruction && known_ == nullptr) {
    instruction =
        FindSyscallInstruction(memory, thread_->registers(), ScanExecutableRanges(process_, tid));
  }
  if (!instruction) return {InjectionStep::kFindInstruction, ENOENT};
  chosen_->instruction = *instruction;
  return {};
}

void ThreadChooser::Note(InjectionFailure failure) {
  failure_ = failure;
  worth_another_round_ |=
      failure.error == ETIMEDOUT || failure.error == EAGAIN || failure.error == ESRCH;
}

bool ThreadChooser::IsDead(pid_t tid) const {
  const auto stat = ReadStat(process_, TaskPath(tid, "stat").c_str());
  return !stat || stat->dead();
}

}  // namespace stillframe
