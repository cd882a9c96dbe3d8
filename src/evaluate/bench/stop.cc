#include "evaluate/bench/stop.h"

#include <chrono>

namespace stillframe::evaluate {
namespace {

tl::unexpected<Error> Interrupted() {
  return Fail(ErrorCode::kInterrupted, "interrupted: the bench was ended");
}

}  // namespace

void BenchStop::Cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (session_ != nullptr) session_->Cancel();
  }
  wake_.notify_all();
}

bool BenchStop::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

Result<void> BenchStop::SleepUntil(TimePoint time) {
  std::unique_lock lock(mutex_);
  if (wake_.wait_until(lock, time, [this] { return cancelled_; })) return Interrupted();
  return {};
}

Result<void> BenchStop::SleepFor(Duration duration) {
  return SleepUntil(std::chrono::steady_clock::now() + duration);
}

Result<SaveSummary> BenchStop::Run(SaveSession& session) {
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return Interrupted();
    session_ = &session;
  }
  auto summary = session.Run();
  const std::lock_guard lock(mutex_);
  session_ = nullptr;
  return summary;
}

}  // namespace stillframe::evaluate
