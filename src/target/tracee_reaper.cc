#include "target/tracee_reaper.h"

#include <chrono>

#include "sys/tracee.h"

namespace stillframe {
namespace {

constexpr auto kTooLong = std::chrono::milliseconds(5);

}  // namespace

TraceeReaper::TraceeReaper() : thread_("reap", 0, [this] { Run(); }) {}

TraceeReaper::~TraceeReaper() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

int TraceeReaper::Seize(pid_t tid) {
  BeginWaiting();
  const int error = PtraceSeize(tid);
  EndWaiting();
  const std::lock_guard lock(mutex_);
  if (error == 0) seized_.push_back(tid);
  return error;
}

void TraceeReaper::BeginWaiting() {
  const std::lock_guard lock(mutex_);
  seizing_ = true;
  ++seizures_;
}

void TraceeReaper::EndWaiting() {
  const std::lock_guard lock(mutex_);
  seizing_ = false;
}

void TraceeReaper::Run() {
  uint64_t last = 0;
  std::unique_lock lock(mutex_);
  while (!end_) {
    ended_.wait_for(lock, kTooLong);
    if (seizing_ && seizures_ == last) ReapTheDead();
    last = seizures_;
  }
}

void TraceeReaper::ReapTheDead() const {
  for (const pid_t tid : seized_) PtraceReapIfDead(tid);
}

}  // namespace stillframe
