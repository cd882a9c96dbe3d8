#include "target/tracer_thread.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "base/clock.h"
#include "sys/futex.h"
#include "target/tracer_priority.h"

namespace stillframe {
namespace {

constexpr Duration kBetweenLooks = std::chrono::milliseconds(5);
constexpr Duration kLongestExit = std::chrono::seconds(1);

// A thread that was joined may still be on its way out, with its tracees in its hand.
void AwaitGone(pid_t tid) {
  const TimePoint end = MonotonicClock().Now() + kLongestExit;
  constexpr timespec kBetween{.tv_sec = 0, .tv_nsec = 20'000};
  while (syscall(SYS_tgkill, getpid(), tid, 0) == 0 && MonotonicClock().Now() < end) {
    nanosleep(&kBetween, nullptr);
  }
}

// What it threw; null for nothing.
std::exception_ptr Try(const TracerThread::Work& work) {
  try {
    work();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

Result<std::unique_ptr<TracerThread>> TracerThread::Start() {
  std::unique_ptr<TracerThread> tracer(new TracerThread);
  try {
    tracer->thread_ = ServiceThread("ptr", 0, [self = tracer.get()] { self->Serve(); });
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kLimit,
                std::string("starting the thread that stops the target: ") + error.what(),
                "raise the limit of processes and threads (ulimit -u, pids.max)");
  }
  return tracer;
}

TracerThread::~TracerThread() {
  if (!thread_.joinable()) return;
  AwaitEndOf(kWorking, kFollowing);
  Enter(kEnding);
  thread_.join();
  AwaitGone(thread_.tid());
}

void TracerThread::Run(const Work& work, const Work& meanwhile, Work afterwards) {
  AwaitEndOf(kWorking, kFollowing);
  thrown_afterwards_ = nullptr;  // by what nobody asked for any more
  work_ = &work;
  afterwards_ = std::move(afterwards);
  Enter(kWorking);
  AwaitEndOf(kWorking, kWorking, meanwhile);
  if (thrown_by_work_) std::rethrow_exception(std::exchange(thrown_by_work_, nullptr));
}

void TracerThread::Finish() {
  AwaitEndOf(kWorking, kFollowing);
  if (thrown_afterwards_) std::rethrow_exception(std::exchange(thrown_afterwards_, nullptr));
}

void TracerThread::Enter(State state) {
  state_.store(state, std::memory_order_release);
  FutexWakeAll(&state_);
}

void TracerThread::AwaitEndOf(State first, State second, const Work& meanwhile) {
  for (;;) {
    const uint32_t state = state_.load(std::memory_order_acquire);
    if (state != first && state != second) return;
    const TimePoint begin = MonotonicClock().Now();
    FutexWait(&state_, state, kBetweenLooks);
    if (meanwhile && MonotonicClock().Now() - begin >= kBetweenLooks) meanwhile();
  }
}

void TracerThread::Serve() {
  GetAhead();
  // Its sleeps are a few microseconds long, and would be rounded up by 50.
  prctl(PR_SET_TIMERSLACK, 1);
  for (;;) {
    const uint32_t state = state_.load(std::memory_order_acquire);
    if (state == kEnding) return;
    if (state == kIdle) {
      FutexWait(&state_, kIdle);
      continue;
    }
    thrown_by_work_ = Try(*work_);
    if (afterwards_ && !thrown_by_work_) {
      Enter(kFollowing);
      // Whoever waits for the work shall find a CPU.
      const StepBack back;
      thrown_afterwards_ = Try(afterwards_);
    }
    afterwards_ = nullptr;
    Enter(kIdle);
  }
}

}  // namespace stillframe
