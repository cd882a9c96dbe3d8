#include "save/session.h"

#include <sys/utsname.h>

#include <algorithm>
#include <ctime>

#include "base/fail_point.h"
#include "region/rcu.h"
#include "save/save_account.h"
#include "save/without_exceptions.h"

namespace stillframe {
namespace {

uint64_t UnixNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Result<SaveSummary> Session::Run() {
  const RcuThread rcu;
  Result<void> result = Save();
  if (!result) InterruptOutput();
  Enter(SavePhase::kFinishing);
  ReleaseTarget();
  if (result) result = WithoutExceptions("at the end", [this] { return Publish(); });
  return End(result);
}

Result<SaveSummary> Session::RunWithoutRelease() {
  const RcuThread rcu;
  Result<void> result = Save();
  // The pacer is needed for the next one.
  if (!result) context_.sink->Interrupt();
  Enter(SavePhase::kFinishing);
  if (result) result = WithoutExceptions("at the end", [this] { return Publish(); });
  return End(result);
}

Result<void> Session::Save() {
  started_ = context_.clock.Now();
  started_ns_.store(started_.time_since_epoch().count(), std::memory_order_relaxed);
  STILLFRAME_TRY(WithoutExceptions("before the pause", [this] { return Prepare(); }));
  STILLFRAME_TRY(TakeInstant());
  Enter(SavePhase::kSaving);
  return WithoutExceptions("while saving", [this]() -> Result<void> {
    STILLFRAME_TRY(context_.ExpectPages(Expectation::kSettled));
    return way_->SavePages();
  });
}

Result<SaveSummary> Session::End(const Result<void>& result) {
  Enter(SavePhase::kDone);
  way_->End();
  if (!result) return tl::unexpected(result.error());
  return Summary();
}

// Whatever blocks on the output must not hold up the release.
void Session::InterruptOutput() {
  context_.sink->Interrupt();
  context_.pacer.Interrupt();
}

Result<void> Session::Prepare() {
  STILLFRAME_TRY(context_.target->CheckAlive());
  // Their rounds come before the pause.
  if (context_.options.via == Via::kPrecopy || context_.options.instant == Instant::kLate)
    Enter(SavePhase::kSaving);
  STILLFRAME_TRY(way_->Prepare());
  utsname system{};
  uname(&system);
  context_.metadata.kernel = system.release;
  context_.metadata.host = system.nodename;
  context_.metadata.filter = context_.planner.filter();
  STILLFRAME_TRY(context_.target->PrepareState());
  return way_->BeforePause();
}

Result<void> Session::TakeInstant() {
  Enter(SavePhase::kPausing);
  STILLFRAME_TRY(context_.CheckCancelled());
  STILLFRAME_TRY(WithoutExceptions("while the target was being stopped", [this] {
    return context_.target->Pause(context_.HowToPause(way_->needs_fork()));
  }));
  context_.stopped = context_.clock.Now();
  const Result<void> result =
      WithoutExceptions("while the target stood still", [this] { return WhilePaused(); });
  way_->BeforeResume(result.has_value());
  context_.stopped.reset();
  const Result<void> resumed = context_.target->Resume();
  context_.resumed = context_.clock.Now();
  NotePause();
  FailPoint("save.resumed");
  STILLFRAME_TRY(result);
  if (!context_.is_self) context_.planner.NameShared();
  return resumed;
}

Result<void> Session::WhilePaused() {
  context_.metadata.instant_unix_ns = UnixNanoseconds();
  if (!context_.is_self) STILLFRAME_TRY(context_.target->CheckAlive());
  return way_->WhilePaused();
}

void Session::NotePause() {
  SaveSummary& summary = context_.summary;
  const PauseTimes times = context_.target->Times();
  summary.pause = context_.target->PauseDuration() - summary.at_instant;
  summary.paused.stop = times.stop;
  summary.paused.resume = times.resume;
  summary.paused.limit_met =
      summary.pause - times.stop - times.resume <= context_.options.pause_limit;
  context_.metadata.pause_ns = static_cast<uint64_t>(summary.pause.count());
}

void Session::ReleaseTarget() {
  way_->Release();
  // Only this is certain: a mapping may have moved while it was being released. Before the rest is
  // written, which may take long.
  context_.target->CloseUserfaultfd();
  FailPoint("uffd.close");
}

Result<void> Session::Publish() {
  SaveSummary& summary = context_.summary;
  ImageMetadata& metadata = context_.metadata;
  STILLFRAME_ASSIGN(summary.lost, way_->Finish());
  if (!summary.lost.empty() && context_.options.on_lost == OnLost::kAbort) {
    return Fail(ErrorCode::kLimit, "pages of the target were lost: the save was given up",
                "--on-lost keep saves the rest and lists them");
  }
  metadata.skipped = SkippedRanges(context_.planner.plan(), way_->Unreadable());
  STILLFRAME_TRY(context_.CheckCancelled());
  return context_.sink->Finish(metadata);
}

SaveSummary Session::Summary() const {
  SaveSummary summary = context_.summary;
  summary.pid = context_.target->pid();
  summary.via = context_.options.via;
  summary.attach = context_.target->AttachDuration();
  summary.duration = context_.clock.Now() - started_;
  summary.pages = context_.sink->counters();
  for (const SavedMapping& mapping : context_.metadata.mappings) {
    summary.memory += mapping.saved.size();
  }
  summary.total = ToPages(summary.memory);
  summary.image = summary.pages.written;
  summary.skipped = context_.metadata.skipped;
  summary.skipped_much = SkippedMuch(context_.planner.plan());
  way_->AddTo(&summary);
  return summary;
}

void Session::Cancel() {
  context_.cancelled.store(true, std::memory_order_release);
  context_.sink->Interrupt();
  context_.pacer.Interrupt();
  way_->Interrupt();
}

SaveProgress Session::Progress() const {
  SaveProgress progress;
  progress.phase = phase_.load(std::memory_order_relaxed);
  const int64_t started = started_ns_.load(std::memory_order_relaxed);
  if (started != 0) progress.elapsed = context_.clock.Now() - TimePoint(Duration(started));
  progress.total = Pages{context_.pages_to_do.load(std::memory_order_relaxed)};
  if (progress.phase == SavePhase::kDone) return progress;
  progress.written = context_.sink->counters().written;
  way_->AddTo(&progress);
  progress.done = std::min(progress.total, progress.done);
  return progress;
}

}  // namespace stillframe
