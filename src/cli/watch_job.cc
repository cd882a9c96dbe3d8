#include "cli/watch_job.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "base/signals_blocked.h"
#include "save/without_exceptions.h"
#include "stillframe/image_reader.h"
#include "stillframe/target.h"

namespace stillframe {
namespace {

// Then a whole image is written: each image of a chain is one file more to open.
constexpr size_t kLongChain = 256;
// How often it is asked whether the target is still there, between two images.
constexpr Duration kLook = std::chrono::milliseconds(500);

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
    if (series_) series_->LeaveNothing();
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
    while (MonotonicClock().Now() < next) {
      if (!WaitUntil(std::min(next, MonotonicClock().Now() + kLook))) return {};
      STILLFRAME_TRY(session_->CheckAlive());
    }
  }
}

Result<void> WatchJob::Prepare() {
  STILLFRAME_ASSIGN(series_, ImageSeries::Open(arguments_.directory));
  STILLFRAME_ASSIGN(image_, OpenImageOptions(arguments_.image));
  if (!image_.workers) {
    STILLFRAME_ASSIGN(image_.workers, StartTaskPool(arguments_.image.threads));
  }
  if (const auto newest = series_->newest()) {
    STILLFRAME_ASSIGN(image_.parent, ImageReader::Open(*newest, {.workers = image_.workers}));
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
  LeaveParent();
  const std::string path = series_->next();
  const bool follows = std::exchange(follows_, false) && image_.parent;
  STILLFRAME_ASSIGN(auto sink, CreateImage({.path = path}, image_));
  STILLFRAME_ASSIGN(const SaveSummary summary, session_->Save(std::move(sink), follows));
  series_->Added();
  ++saved_;
  listeners_.saved(summary, path);
  OpenParent(path);
  Prune();
  return {};
}

void WatchJob::OpenParent(const std::string& path) {
  auto opened = ImageReader::Open(path, {.workers = image_.workers});
  follows_ = opened.has_value();
  image_.parent = opened ? *std::move(opened) : nullptr;
  if (!opened) listeners_.warned(opened.error());
}

void WatchJob::LeaveParent() {
  if (!image_.parent) return;
  const std::span<const ChainFile> chain = image_.parent->chain();
  const bool there = access(chain.front().path.c_str(), F_OK) == 0;
  if (!there || chain.size() >= kLongChain) image_.parent = nullptr;
}

void WatchJob::Prune() {
  if (arguments_.keep == 0) return;
  ImageOptions options = image_;
  options.parent = nullptr;
  const auto pruned = series_->Prune(arguments_.keep, options, [this] { return IsCancelled(); });
  if (!pruned && !IsCancelled()) listeners_.warned(pruned.error());
  if (pruned && *pruned > 0) listeners_.pruned(*pruned);
}

}  // namespace stillframe
