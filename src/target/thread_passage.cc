#include "target/thread_passage.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/number_text.h"
#include "sys/proc_file.h"
#include "target/give_way.h"
#include "target/tracer_priority.h"

namespace stillframe {
namespace {

// As often as a pause tries.
constexpr int kTimeouts = 10;
constexpr int kLooksBeforeSearch = 64;

// They wait for an event, and have no buffer that a thread of the kernel fills for them. A call
// that goes on after a stop does so as restart_syscall, and only such calls do.
constexpr std::array kQuietCalls = {
    SYS_poll,        SYS_ppoll,           SYS_select,          SYS_pselect6,
    SYS_epoll_wait,  SYS_epoll_pwait,     SYS_epoll_pwait2,    SYS_futex,
    SYS_futex_waitv, SYS_nanosleep,       SYS_clock_nanosleep, SYS_pause,
    SYS_wait4,       SYS_waitid,          SYS_rt_sigtimedwait, SYS_rt_sigsuspend,
    SYS_semop,       SYS_semtimedop,      SYS_accept,          SYS_accept4,
    SYS_flock,       SYS_restart_syscall, SYS_io_getevents,    SYS_io_pgetevents};

}  // namespace

Result<void> ThreadPassage::Await(const PauseOptions& options) {
  // They need a CPU to get out of their calls.
  const StepBack back;
  const TimePoint end = MonotonicClock().Now() + options.stop_timeout * kTimeouts;
  for (int look = 0;; ++look) {
    STILLFRAME_ASSIGN(const SeizedThreads::Look seized,
                      threads_.SeizeNew(0, [this](pid_t tid) { return SleepsInQuietCall(tid); }));
    threads_.AskAll();
    STILLFRAME_TRY(PassAll(end, options));
    // Who is born from now on was never in a call that began before.
    if (seized.whole) break;
    if (MonotonicClock().Now() >= end) return tl::unexpected(TooSlow());
    GiveWay(look);
  }
  FailPoint("passage.ended");
  return {};
}

Result<void> ThreadPassage::PassAll(TimePoint end, const PauseOptions& options) {
  for (int look = 0;; ++look) {
    bool waits = false;
    for (auto& [tid, thread] : threads_.all()) {
      if (thread.gone) continue;
      threads_.Release(tid, &thread);
      thread.passed = thread.stopped && thread.gone;
      waits = waits || !thread.gone;
    }
    if (!waits) return {};
    if (options.cancelled && options.cancelled()) {
      return Fail(ErrorCode::kInterrupted, "waiting for the system calls of process " +
                                               std::to_string(pid_) + ": interrupted");
    }
    if (MonotonicClock().Now() >= end) return tl::unexpected(TooSlow());
    if (look % kLooksBeforeSearch == kLooksBeforeSearch - 1) threads_.ForgetLost();
    GiveWay(look);
  }
}

bool ThreadPassage::End() {
  for (auto& [tid, thread] : threads_.all()) threads_.Release(tid, &thread);
  return threads_.Forget();
}

// The kernel tells the call of a thread that sleeps, and no other's.
bool ThreadPassage::SleepsInQuietCall(pid_t tid) const {
  std::array<char, 256> buffer;
  std::string_view line = ReadSmallFile(directory_, TaskPath(tid, "syscall").c_str(), buffer);
  uint64_t number = 0;
  return TakeNumber(&line, &number) &&
         std::ranges::find(kQuietCalls, static_cast<long>(number)) != kQuietCalls.end();
}

Error ThreadPassage::TooSlow() const {
  const std::string names = threads_.Waiting();
  return {.code = ErrorCode::kLimit,
          .message = "waiting for the system calls of process " + std::to_string(pid_) +
                     " to end: some took too long" + (names.empty() ? names : ": " + names),
          .hint =
              "a thread that waits for a disk, a network file system or a vfork child can't be "
              "waited for; raise the stop timeout, or try again later"};
}

}  // namespace stillframe
