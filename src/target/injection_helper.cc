#include "target/injection_helper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/fail_point.h"
#include "base/unique_fd.h"
#include "sys/fd_passing.h"
#include "sys/pidfd.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"
#include "sys/tracee.h"
#include "target/injection_report.h"
#include "target/remote_thread.h"
#include "target/userfaultfd_maker.h"

namespace stillframe {
namespace {

constexpr unsigned kPidfdThread = O_EXCL;  // PIDFD_THREAD, 6.9
constexpr int kOomScoreLength = 5;

// What became of one thread.
enum class Attempt {
  kDone,        // the report is final, good or bad
  kTryAnother,  // this thread was of no use just now; the report says why
};

class Injector {
 public:
  explicit Injector(const InjectionOrder& order)
      : order_(order), deadline_(MonotonicClock().Now() + order.timeout) {}

  void Run();
  void Send() const;

 private:
  enum class Pass { kInSystemCall, kAwake, kAny };

  bool TryThreads(Pass pass);
  bool Suits(pid_t tid, Pass pass) const;
  Attempt TryThread(pid_t tid);
  Attempt UseStopped(RemoteThread* thread);
  Attempt Another(InjectionStep step, int error);
  Attempt Final(InjectionStep step, int error);
  bool OpenMemory(pid_t tid);
  bool IsDead(pid_t tid) const;
  UniqueFd DescriptorTableOf(pid_t tid) const;

  const InjectionOrder& order_;
  TimePoint deadline_;
  // Some thread was of no use for a reason that passes by itself.
  bool worth_another_round_ = false;
  InjectionReport report_{.step = InjectionStep::kFindThread};
  UniqueFd userfaultfd_;
  UniqueFd memory_;
  UniqueFd pagemap_;
};

void Injector::Run() {
  const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
  for (;;) {
    // A thread that waits in a system call is stopped at no cost, and shows where a syscall
    // instruction is. One that can't be woken (state D: a disk, a vfork child) is the last resort.
    for (const Pass pass : {Pass::kInSystemCall, Pass::kAwake, Pass::kAny}) {
      if (TryThreads(pass)) return;
    }
    if (!worth_another_round_ || MonotonicClock().Now() >= deadline_) return;
    worth_another_round_ = false;
    nanosleep(&pause, nullptr);
  }
}

bool Injector::TryThreads(Pass pass) {
  NumberedEntries threads(order_.process, "task");
  while (const pid_t tid = threads.Next()) {
    if (MonotonicClock().Now() >= deadline_) return false;
    if (Suits(tid, pass) && TryThread(tid) == Attempt::kDone) return true;
  }
  if (threads.error() == 0) return false;
  Final(InjectionStep::kRelease, ESRCH);
  return true;
}

bool Injector::Suits(pid_t tid, Pass pass) const {
  const auto stat = ReadStat(order_.process, TaskPath(tid, "stat").c_str());
  if (!stat || stat->dead() || stat->kernel_worker()) return false;
  if (pass == Pass::kAny) return true;
  if (stat->state == 'D') return false;
  if (pass == Pass::kAwake) return true;
  std::array<char, 256> buffer;
  const std::string_view call =
      ReadSmallFile(order_.process, TaskPath(tid, "syscall").c_str(), buffer);
  // "running", or the number of the call; -1: waiting, but in no call.
  return !call.empty() && call.front() >= '0' && call.front() <= '9';
}

Attempt Injector::TryThread(pid_t tid) {
  report_.thread = tid;
  report_.call_error = 0;
  RemoteThread thread;
  // Not with a limit for each thread: one that was seized and given up on could die unnoticed, and
  // with an exec that waits for that the next seizing would never end (tracee_reaper.h).
  const int error = thread.Stop(tid, deadline_);
  if (error == ENOEXEC) return Another(InjectionStep::kThirtyTwoBit, error);
  if (error == EPERM && !IsDead(tid)) return Another(InjectionStep::kSeize, error);
  if (error != 0) return Another(InjectionStep::kFindThread, error == EPERM ? ESRCH : error);
  const Attempt attempt = UseStopped(&thread);
  if (const int released = thread.Release(); released != 0 && attempt == Attempt::kDone) {
    userfaultfd_.reset();
    return Final(InjectionStep::kRelease, released);
  }
  report_.stopped_ns = thread.stopped_time().count();
  return attempt;
}

Attempt Injector::UseStopped(RemoteThread* thread) {
  const pid_t tid = thread->tid();
  const auto status = ReadStatus(order_.process, TaskPath(tid, "status").c_str());
  if (!status || !OpenMemory(tid)) return Another(InjectionStep::kOpenMemory, errno);
  const UniqueFd writable(openat(order_.process, TaskPath(tid, "mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!writable) return Another(InjectionStep::kOpenMemory, errno);
  if (InRestartableSequence(writable.get(), PtraceRseq(tid), thread->registers())) {
    return Another(InjectionStep::kFindThread, EAGAIN);
  }
  const UniqueFd table = DescriptorTableOf(tid);
  if (!table) return Another(InjectionStep::kTakeDescriptor, errno);
  if (status->seccomp != 0) {
    // Read while it stands still: no filter can be added any more.
    if (const int error = PtraceSuspendSeccomp(tid)) {
      return Another(InjectionStep::kSuspendSeccomp, error);
    }
    FailPoint("ptrace.suspend-seccomp");
  }
  const auto instruction =
      FindSyscallInstruction(writable.get(), thread->registers(), order_.executable);
  if (!instruction) return Another(InjectionStep::kFindInstruction, ENOENT);
  if (const int error = thread->Begin(*instruction)) return Another(InjectionStep::kPrepare, error);
  report_.step = InjectionStep::kDone;
  UserfaultfdMaker maker(thread, writable.get(), table.get(), order_.device, order_.device_error);
  userfaultfd_ = maker.Make(&report_);
  return Attempt::kDone;
}

Attempt Injector::Another(InjectionStep step, int error) {
  Final(step, error);
  worth_another_round_ |= error == ETIMEDOUT || error == EAGAIN || error == ESRCH;
  return Attempt::kTryAnother;
}

Attempt Injector::Final(InjectionStep step, int error) {
  report_.step = step;
  report_.error = error;
  return Attempt::kDone;
}

// Opened while the thread stands still and before the last call is run in it: an exec of another
// thread would have killed it, so these and the userfaultfd are of one address space.
bool Injector::OpenMemory(pid_t tid) {
  memory_ = UniqueFd(openat(order_.process, TaskPath(tid, "mem").c_str(), O_RDONLY | O_CLOEXEC));
  pagemap_ =
      UniqueFd(openat(order_.process, TaskPath(tid, "pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  FailPoint("attach.open-memory");
  return memory_ && pagemap_;
}

// pidfd_getfd(2) takes from the table of the thread that the pidfd names, and threads may have
// tables of their own (unshare), or be a leader that has exited.
UniqueFd Injector::DescriptorTableOf(pid_t tid) const {
  UniqueFd thread(static_cast<int>(syscall(SYS_pidfd_open, tid, kPidfdThread)));
  if (thread) return thread;
  UniqueFd leader(fcntl(order_.pidfd, F_DUPFD_CLOEXEC, 0));
  if (tid == order_.pid || SameDescriptorTable(tid, order_.pid) == true) return leader;
  errno = EBADF;
  return UniqueFd();
}

bool Injector::IsDead(pid_t tid) const {
  const auto stat = ReadStat(order_.process, TaskPath(tid, "stat").c_str());
  return !stat || stat->dead();
}

void Injector::Send() const {
  const auto bytes = std::as_bytes(std::span(&report_, 1));
  std::array<int, kInjectedFdCount> fds{};
  fds[kInjectedUserfaultfd] = userfaultfd_.get();
  fds[kInjectedMemory] = memory_.get();
  fds[kInjectedPagemap] = pagemap_.get();
  SendWithFds(order_.socket, bytes,
              userfaultfd_ ? std::span<const int>(fds) : std::span<const int>());
  FailPoint("attach.fd-passed");
}

// Descriptors of the program we were forked from: a pipe held open here would keep its other end
// waiting.
void CloseOthers([[maybe_unused]] const InjectionOrder& order) {
#ifndef STILLFRAME_FAIL_POINTS  // whose trace file must stay open
  std::array<int, 4> kept = {order.process, order.pidfd, order.device, order.socket};
  std::ranges::sort(kept);
  unsigned first = 0;
  for (const int fd : kept) {
    if (fd < 0) continue;
    if (static_cast<unsigned>(fd) > first) {
      close_range(first, static_cast<unsigned>(fd) - 1, 0);
    }
    first = static_cast<unsigned>(fd) + 1;
  }
  close_range(first, ~0u, 0);
#endif
}

// Out of reach of what would kill us in the middle, as far as we may: the terminal's signals, the
// out-of-memory killer.
void Shelter() {
  prctl(PR_SET_NAME, "stillframe-inject");
  setsid();
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);  // ignored, it would not be sent
  const UniqueFd score(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (score) {
    [[maybe_unused]] const ssize_t n = write(score.get(), "-1000", kOomScoreLength);
  }
}

}  // namespace

void RunInjectionHelper(const InjectionOrder& order) {
  Shelter();
  CloseOthers(order);
  FailPoint("inject.helper");
  {
    Injector injector(order);
    injector.Run();
    injector.Send();
  }
  _exit(0);
}

}  // namespace stillframe
