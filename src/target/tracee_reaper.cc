#include "target/tracee_reaper.h"

#include "sys/tracee.h"

namespace stillframe {

int TraceeReaper::Seize(pid_t tid) {
  BeginWaiting();
  const int error = PtraceSeize(tid);
  const std::lock_guard lock(mutex_);
  seizing_ = false;
  if (error == 0) seized_.push_back(tid);
  return error;
}

void TraceeReaper::Forget() {
  const std::lock_guard lock(mutex_);
  seized_.clear();
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

void TraceeReaper::ReapIfStuck() {
  const std::lock_guard lock(mutex_);
  if (seizing_ && seizures_ == last_seizures_) {
    for (const pid_t tid : seized_) PtraceReapIfDead(tid);
  }
  last_seizures_ = seizures_;
}

}  // namespace stillframe
