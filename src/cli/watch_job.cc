#include "cli/watch_job.h"

#include <utility>

#include "base/signals_blocked.h"
#include "save/without_exceptions.h"
#include "stillframe/image_reader.h"
#include "stillframe/target.h"

namespace stillframe {
namespace {

// What will be the same the next time, or was not ours to try again.
bool EndsIt(ErrorCode code) {
  return code == ErrorCode::kTargetGone || code == ErrorCode::kInterrupted ||
         code == ErrorCode::kPermission || code == ErrorCode::kUnsupported ||
         code == ErrorCode::kUsage;
}

}  // namespace

WatchJob::WatchJob(const WatchArguments& arguments, Listeners listeners)
    : arguments_(arguments), listeners_(std::move(listeners)) {}

WatchJob::~WatchJob() {
  if (!thread_.joinable()) return;
  Cancel();
  thread_.join();
}

void WatchJob::Start() {
  const AllSignalsBlocked blocked;  // they are the main thread's
  thread_ = std::thread([this] {
    result_ = WithoutExceptions("while watching", [this] { return Run(); });
    // Releases the target, on the thread that attached to it.
    SetSession(nullptr);
    listeners_.done();
  });
}

void WatchJob::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (session_) session_->Cancel();
  woken_.notify_all();
}

Result<void> WatchJob::Take() {
  thread_.join();
  return result_;
}

bool WatchJob::IsCancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

void WatchJob::SetSession(std::unique_ptr<WatchSession> session) {
  std::unique_ptr<WatchSession> old;
  const std::lock_guard lock(mutex_);
  old = std::exchange(session_, std::move(session));
  if (session_ && cancelled_) session_->Cancel();
}

bool WatchJob::WaitUntil(TimePoint when) {
  std::unique_lock lock(mutex_);
  woken_.wait_until(lock, when, [this] { return cancelled_; });
  return !cancelled_;
}

Result<void> WatchJob::Run() {
  STILLFRAME_TRY(Prepare());
  for (TimePoint next = MonotonicClock().Now();;) {
    const Result<void> saved = SaveOnce();
    if (IsCancelled()) return {};
    if (!saved) {
      STILLFRAME_TRY(session_->CheckAlive());
      // What is wrong from the beginning is not tried for ever.
      if (saved_ == 0 || EndsIt(saved.error().code)) return saved;
      listeners_.failed(saved.error());
    }
    if (arguments_.count > 0 && saved_ >= arguments_.count) return {};
    next += arguments_.every;
    const TimePoint now = MonotonicClock().Now();
    // One that took longer than that is not made up for.
    while (next < now) next += arguments_.every;
    if (!WaitUntil(next)) return {};
    STILLFRAME_TRY(session_->CheckAlive());
  }
}

Result<void> WatchJob::Prepare() {
  STILLFRAME_ASSIGN(series_, ImageSeries::Open(arguments_.directory));
  STILLFRAME_ASSIGN(image_, OpenImageOptions(arguments_.image));
  if (!image_.workers) {
    STILLFRAME_ASSIGN(image_.workers, StartTaskPool(arguments_.image.threads));
  }
  if (const auto newest = series_->newest()) {
    STILLFRAME_TRY(OpenParent(*newest));
    auto checked = CheckParentIsOf(arguments_.pid, *image_.parent, false);
    if (!checked) {
      checked.error().hint = "give another directory";
      return checked;
    }
  }
  STILLFRAME_ASSIGN(auto target, AttachProcess(arguments_.pid));
  STILLFRAME_ASSIGN(auto session, WatchSession::Create(std::move(target), arguments_.options));
  SetSession(std::move(session));
  return {};
}

Result<void> WatchJob::SaveOnce() {
  const std::string path = series_->next();
  const bool follows = std::exchange(follows_, false);
  STILLFRAME_ASSIGN(auto sink, CreateImage({.path = path}, image_));
  STILLFRAME_ASSIGN(const SaveSummary summary, session_->Save(std::move(sink), follows));
  series_->Added();
  ++saved_;
  listeners_.saved(summary, path);
  // The parent is not needed any more, and is open no longer: it may go now.
  image_.parent = nullptr;
  STILLFRAME_TRY(Prune());
  STILLFRAME_TRY(OpenParent(path));
  follows_ = true;
  return {};
}

Result<void> WatchJob::OpenParent(const std::string& path) {
  STILLFRAME_ASSIGN(image_.parent, ImageReader::Open(path, {.workers = image_.workers}));
  return {};
}

Result<void> WatchJob::Prune() {
  if (arguments_.keep == 0) return {};
  STILLFRAME_ASSIGN(const size_t pruned,
                    series_->Prune(arguments_.keep, image_, [this] { return IsCancelled(); }));
  if (pruned > 0) listeners_.pruned(pruned);
  return {};
}

}  // namespace stillframe
