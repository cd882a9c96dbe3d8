#include "target/thread_stopper.h"

#include <time.h>

#include <string>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "target/give_way.h"
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
  if (foreign_ == nullptr) {
    // Seizing stops nobody, so it is done before the clock runs.
    STILLFRAME_TRY(threads_.SeizeNew());
    asked_ = MonotonicClock().Now();
  } else {
    // What we have seized nobody else can stop, so that one comes first.
    asked_ = MonotonicClock().Now();
    STILLFRAME_ASSIGN(const bool stopped, StopForeign(options));
    if (!stopped) return false;
    STILLFRAME_TRY(threads_.SeizeNew(foreign_tid_));
  }
  return TryToStop(options);
}

Result<bool> ThreadStopper::StopForeign(const PauseOptions& options) {
  threads_.reaper().BeginWaiting();
  const auto tid = foreign_->Stop(asked_ + options.stop_timeout, options);
  threads_.reaper().EndWaiting();
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
    threads_.AskAll();
    STILLFRAME_ASSIGN(const bool collected, CollectAll(end, options));
    if (!collected) return false;
    // A thread may have been born by one that had not stopped yet.
    if (threads_.HoldsAll(foreign_tid_ != 0 ? 1 : 0)) return true;
    STILLFRAME_ASSIGN(const SeizedThreads::Look seized, threads_.SeizeNew(foreign_tid_));
    if (seized.found > 0) continue;
    // Threads that bear one another and die can hide from each look, and run on.
    if (seized.whole) break;
    if (MonotonicClock().Now() >= end) return false;
    STILLFRAME_TRY(CheckCancelled(options));
    GiveWay(look);
  }
  if (StoppedThreads().empty() && foreign_tid_ == 0) {
    return Fail(ErrorCode::kTargetGone, "stopping process " + std::to_string(pid_) + ": it exited");
  }
  return true;
}

// One after the other: all have to stop, so it is as well to wait for the first.
Result<bool> ThreadStopper::CollectAll(TimePoint end, const PauseOptions& options) {
  const StepBack back;
  for (auto& [tid, thread] : threads_.all()) {
    for (int look = 0; !thread.stopped && !thread.gone; ++look) {
      threads_.Collect(tid, &thread);
      if (thread.stopped || thread.gone) break;
      if (MonotonicClock().Now() >= end) return false;
      STILLFRAME_TRY(CheckCancelled(options));
      if (look % kLooksBeforeSearch == kLooksBeforeSearch - 1) threads_.ForgetLost();
      GiveWay(look);
    }
  }
  return true;
}

void ThreadStopper::ReleaseAll() {
  if (foreign_tid_ != 0) foreign_->LetGo();
  for (auto& [tid, thread] : threads_.all()) threads_.Release(tid, &thread);
  if (std::exchange(foreign_tid_, 0) != 0) foreign_->AwaitLetGo();
  threads_.DropGone();
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
  return threads_.Forget();
}

Duration ThreadStopper::StoppedTime() const {
  return stopped_ ? MonotonicClock().Now() - asked_ : stopped_time_;
}

Error ThreadStopper::TooSlow() const {
  if (foreign_error_) return *foreign_error_;
  const std::string names = threads_.Waiting();
  return {.code = ErrorCode::kLimit,
          .message = "stopping process " + std::to_string(pid_) +
                     ": some of its threads did not stop in " + std::to_string(kTries) + " tries" +
                     (names.empty() ? names : ": " + names),
          .hint =
              "a thread that waits for a disk, a network file system or a vfork child can't be "
              "stopped; raise the stop timeout, or try again later"};
}

}  // namespace stillframe
