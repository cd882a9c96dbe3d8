#include "target/forked_child.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/pidfd.h"
#include "sys/proc_file.h"
#include "sys/tracee.h"

namespace stillframe {
namespace {

constexpr uint64_t kNowhere = 8;
constexpr int64_t kRestart = -513;  // -ERESTARTNOINTR: a signal or other work was pending
constexpr int kMostRestarts = 1000;
constexpr Duration kLongestBirth = std::chrono::seconds(10);
constexpr uint64_t kCloseRange = 436;       // close_range(2), 5.9
constexpr uint64_t kCloseRangeUnshare = 2;  // CLOSE_RANGE_UNSHARE
constexpr uint64_t kTrapFlag = 0x100;

// What the kernel writes into a thread's memory whenever it returns to it (struct rseq: the CPU it
// is on), so that it can be put back.
class KeptRseq {
 public:
  KeptRseq(pid_t tid, int memory) : memory_(memory), range_(PtraceRseq(tid)) {
    if (range_.empty()) return;
    const size_t size = std::min<size_t>(range_.size().count, bytes_.size());
    const ssize_t n = pread(memory_, bytes_.data(), size, static_cast<off_t>(range_.begin.value));
    size_ = n > 0 ? static_cast<size_t>(n) : 0;
  }
  void PutBack() const {
    if (size_ == 0) return;
    [[maybe_unused]] const ssize_t n =
        pwrite(memory_, bytes_.data(), size_, static_cast<off_t>(range_.begin.value));
  }

 private:
  int memory_;
  AddressRange range_;
  size_t size_ = 0;
  std::array<std::byte, 512> bytes_;
};

// When memory runs out, the copy goes first.
void OfferToTheOutOfMemoryKiller(pid_t pid) {
  const UniqueFd score(
      open(ProcPath("/proc/", pid, "oom_score_adj").c_str(), O_WRONLY | O_CLOEXEC));
  if (score) {
    [[maybe_unused]] const ssize_t n = write(score.get(), "1000", 4);
  }
}

}  // namespace

int64_t ForkedChild::Fork(RemoteThread* thread) {
  constexpr uint64_t kFlags = CLONE_PTRACE | CLONE_FILES;
  int64_t result = kRestart;
  for (int i = 0; i < kMostRestarts && result == kRestart; ++i) {
    result = thread->Call(SYS_clone, {kFlags, kNowhere, 0, 0, 0, 0});
  }
  FailPoint("fork.clone");
  if (result > 0) {
    pid_in_target_ = static_cast<pid_t>(result);
    state_ = State::kAlive;
  }
  return result;
}

InjectionFailure ForkedChild::Settle(pid_t forker, TargetAddress instruction,
                                     bool suspend_seccomp) {
  forker_ = forker;
  if (const auto failure = Find(); failure.step != InjectionStep::kDone) return failure;
  int error = AwaitFirstStop();
  if (error == 0) error = PtraceKillWithTracer(pid_, suspend_seccomp);
  FailPoint("fork.child-stopped");
  if (error == 0 && !Open()) error = errno;
  if (error == 0) error = Shed(instruction);
  return {error == 0 ? InjectionStep::kDone : InjectionStep::kFrozenChild, error};
}

// The target's number for it may be that of another process here.
InjectionFailure ForkedChild::Find() {
  const TimePoint end = MonotonicClock().Now() + kLongestBirth;
  while (!LookForIt()) {
    if (MonotonicClock().Now() >= end) return {InjectionStep::kFrozenChild, ETIMEDOUT};
    AwaitTraceeNews();
  }
  if (pid_ == 0) return {InjectionStep::kRelease, ESRCH};
  FailPoint("fork.child-found");
  return {};
}

// The thread that forked it stands still, so if it is that one that has news, it was killed: true,
// and the child comes to light once note was taken of that.
bool ForkedChild::LookForIt() {
  const pid_t news = PtraceFindNews();
  if (news == 0) return false;
  if (news == forker_) return true;
  pid_ = news;
  pidfd_ = OpenPidfd(pid_);
  return true;
}

int ForkedChild::AwaitFirstStop() {
  for (;;) {
    const ThreadStop stop = PtracePoll(pid_);
    if (stop.kind == StopKind::kTrap || stop.kind == StopKind::kGroupStop) return 0;
    if (stop.kind == StopKind::kGone) {
      state_ = State::kZombie;
      return ESRCH;
    }
    if (stop.kind == StopKind::kRunning) {
      AwaitTraceeNews();
    } else if (const int error = PtraceResume(pid_, ResumeUntil::kStop, 0)) {
      return error;
    }
  }
}

// While it can't have been reaped: its number is its own.
bool ForkedChild::Open() {
  if (!pidfd_) return false;
  memory_.reset(open(ProcPath("/proc/", pid_, "mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!memory_) return false;
  pagemap_.reset(open(ProcPath("/proc/", pid_, "pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap_) return false;
  OfferToTheOutOfMemoryKiller(pid_);
  return true;
}

// A copy of the descriptor table would hold the target's sockets, pipes and locks open after it has
// closed them. So the child was born with the same table, and its one system call exchanges that
// for an empty one. It begins here and need not have ended: a file may take long to close.
int ForkedChild::Shed(TargetAddress instruction) {
  user_regs_struct registers{};
  if (const int error = PtraceGetRegisters(pid_, &registers)) return error;
  registers.orig_rax = ~uint64_t{0};
  registers.rax = kCloseRange;
  registers.rip = instruction.value;
  registers.rdi = 0;
  registers.rsi = ~0u;
  registers.rdx = kCloseRangeUnshare;
  registers.eflags &= ~kTrapFlag;
  const KeptRseq rseq(pid_, memory_.get());
  if (const int error = PtraceSetRegisters(pid_, registers)) return error;
  if (const int error = PtraceResume(pid_, ResumeUntil::kSyscall, 0)) return error;
  if (const int error = AwaitSyscallEntry()) return error;
  // From here on nothing more is written into its memory: it never returns to its program.
  rseq.PutBack();
  FailPoint("fork.child-entry");
  shedding_ = true;
  return PtraceResume(pid_, ResumeUntil::kSyscall, 0);
}

int ForkedChild::AwaitSyscallEntry() {
  for (;;) {
    const ThreadStop stop = PtracePoll(pid_);
    if (stop.kind == StopKind::kSyscall) return 0;
    if (stop.kind == StopKind::kGone) {
      state_ = State::kZombie;
      return ESRCH;
    }
    if (stop.kind == StopKind::kRunning) {
      AwaitTraceeNews();
    } else if (const int error = PtraceResume(pid_, ResumeUntil::kSyscall, 0)) {
      return error;
    }
  }
}

void ForkedChild::AdoptZombie(pid_t pid_in_target, int pidfd) {
  pid_in_target_ = pid_in_target;
  pidfd_.reset(fcntl(pidfd, F_DUPFD_CLOEXEC, 0));
  state_ = State::kZombie;
}

void ForkedChild::Poll() {
  if (state_ != State::kAlive && state_ != State::kDying) return;
  if (pid_ == 0) LookForIt();
  if (pid_ == 0) return;
  const ThreadStop stop = PtracePoll(pid_);
  if (stop.kind == StopKind::kGone) {
    FailPoint("fork.child-waited");
    state_ = State::kZombie;
  } else if (stop.kind == StopKind::kSyscall) {
    shedding_ = false;
  } else if (shedding_ && stop.kind != StopKind::kRunning) {
    PtraceResume(pid_, ResumeUntil::kSyscall, 0);
  }
}

void ForkedChild::Kill() {
  if (state_ != State::kAlive || pid_ == 0) return;
  // Not reaped yet, so the number is its own.
  if (kill(pid_, SIGKILL) != 0) {
    // Another user's, and we lack CAP_KILL: its tracer may end it all the same (PTRACE_KILL sends
    // the signal whatever else the child does).
    ptrace(PTRACE_KILL, pid_, nullptr, nullptr);
  }
  FailPoint("fork.child-killed");
  state_ = State::kDying;
}

bool ForkedChild::IsReaped() const {
  return pidfd_ && syscall(SYS_pidfd_send_signal, pidfd_.get(), 0, nullptr, 0) != 0 &&
         errno == ESRCH;
}

void ForkedChild::Forget() { *this = ForkedChild(); }

}  // namespace stillframe
