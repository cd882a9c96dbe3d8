#include "cli/save_job.h"

#include <utility>

#include "base/signals_blocked.h"
#include "save/save_options.h"
#include "stillframe/target.h"

namespace stillframe {
namespace {

tl::unexpected<Error> Interrupted() {
  return Fail(ErrorCode::kInterrupted, "interrupted; nothing was written, the target runs on");
}

}  // namespace

SaveJob::SaveJob(pid_t pid, OpenSink open, SaveOptions options)
    : pid_(pid), open_(std::move(open)), options_(std::move(options)) {}

SaveJob::~SaveJob() {
  if (!thread_.joinable()) return;
  Cancel();
  thread_.join();
}

void SaveJob::Start(std::function<void()> done) {
  const AllSignalsBlocked blocked;  // they are the main thread's
  thread_ = std::thread([this, done = std::move(done)] {
    result_ = Run();
    done();
  });
}

void SaveJob::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (session_ != nullptr) session_->Cancel();
}

Result<SaveSummary> SaveJob::Take() {
  thread_.join();
  return *std::move(result_);
}

std::optional<SaveProgress> SaveJob::Progress() const {
  const std::lock_guard lock(mutex_);
  if (session_ == nullptr) return std::nullopt;
  return session_->Progress();
}

bool SaveJob::is_opening() const {
  const std::lock_guard lock(mutex_);
  return opening_;
}

Result<SaveSummary> SaveJob::Run() {
  const Result<void> room = CheckRoomFor(options_);
  auto sink = room ? open_() : tl::unexpected(room.error());
  {
    const std::lock_guard lock(mutex_);
    opening_ = false;
    if (cancelled_) return Interrupted();
  }
  if (!sink) return tl::unexpected(std::move(sink).error());
  STILLFRAME_TRY(CheckOrder(options_, **sink));
  STILLFRAME_ASSIGN(std::unique_ptr<Target> target,
                    AttachProcess(pid_, AttachOptionsFor(options_.via)));
  STILLFRAME_ASSIGN(const std::unique_ptr<SaveSession> session,
                    SaveSession::Create(std::move(target), *std::move(sink), std::move(options_)));
  if (!Publish(session.get())) return Interrupted();
  auto summary = session->Run();
  Withdraw();
  return summary;
}

bool SaveJob::Publish(SaveSession* session) {
  const std::lock_guard lock(mutex_);
  if (cancelled_) return false;
  session_ = session;
  return true;
}

void SaveJob::Withdraw() {
  const std::lock_guard lock(mutex_);
  session_ = nullptr;
}

}  // namespace stillframe
