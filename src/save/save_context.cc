#include "save/save_context.h"

#include <unistd.h>

#include <utility>

#include "save/save_account.h"

namespace stillframe {

SaveContext::SaveContext(std::unique_ptr<Target> its_target, std::unique_ptr<PageSink> its_sink,
                         SaveOptions its_options)
    : target(std::move(its_target)),
      sink(std::move(its_sink)),
      options(std::move(its_options)),
      is_self(target->pid() == getpid()),
      pacer(options.max_bandwidth, clock),
      planner(*target, options, is_self) {
  if (options.max_bandwidth.count > 0) {
    sink->SetPacer([this](Bytes bytes) { return pacer.Before(bytes); }, pacer.LargestWrite());
  }
}

Result<void> SaveContext::CheckCancelled() const {
  if (IsCancelled()) return Fail(ErrorCode::kInterrupted, "interrupted");
  return CheckPauseLimit();
}

PauseOptions SaveContext::HowToPause(bool for_fork) const {
  return {.stop_timeout = options.stop_timeout,
          .cancelled = [this] { return IsCancelled(); },
          .for_fork = for_fork};
}

Result<void> SaveContext::CheckPauseLimit() const {
  if (!stopped || options.over_pause_limit == OverPauseLimit::kKeep) return {};
  if (clock.Now() - *stopped - summary.at_instant <= options.pause_limit) return {};
  return Fail(ErrorCode::kLimit, "the pause took longer than its limit: the save was given up",
              "a longer --pause-limit, or --over-pause-limit keep");
}

Result<void> SaveContext::CaptureState() {
  STILLFRAME_ASSIGN(metadata.process, target->CaptureState());
  return {};
}

Result<void> SaveContext::ExpectPages(Expectation expectation) {
  if (settled) return {};
  settled = expectation == Expectation::kSettled;
  metadata.mappings = SavedMappings(planner.plan());
  return sink->Expect(metadata, expectation);
}

Result<void> SaveContext::CallAtInstant() {
  STILLFRAME_TRY(CheckPauseLimit());
  if (!options.at_instant) return {};
  const TimePoint begin = clock.Now();
  const Result<void> called = options.at_instant(target->pid());
  summary.at_instant = clock.Now() - begin;
  return called;
}

void SaveContext::BeginAnew() {
  stopped.reset();
  metadata = {};
  summary = {};
  settled = false;
}

}  // namespace stillframe
