// Holds the scan back where that costs no time: while the output has enough to do with faulted
// pages.
#ifndef STILLFRAME_THROTTLE_ADAPTIVE_POLICY_H_
#define STILLFRAME_THROTTLE_ADAPTIVE_POLICY_H_

#include <optional>

#include "stillframe/throttle.h"
#include "throttle/policies.h"

namespace stillframe {

// Two rules, both on what makes a fault wait for the scan once a tracker of its own copies its
// page:
//
// - From three quarters of the stage on nothing is pushed, until no more than a half is in use. The
//   scan's own share is at most a half, so what fills it are faulted pages: the output is busy with
//   them as it is, and a run in between would only delay the room that writers wait for.
// - A run is no larger than what the output takes within a fifth of the fault limit, since a page
//   cannot be written, and its slot not be freed, before the run that is being written has gone.
//   Only where the scan waits for it most of the time, and its rate is that of the time in which it
//   does: an output that is waited for now and then, on a busy machine, is not slow, and what goes
//   through it then says only how slow the scan is. Small runs would make that slower yet. Never
//   less than 64 KiB.
//
// As any policy it pushes one run after force_after without one, so that a save always ends.
class AdaptivePolicy final : public ThrottlePolicy {
 public:
  explicit AdaptivePolicy(const ThrottleOptions& options) : options_(options) {}

  std::string_view name() const override { return "adaptive"; }
  // The saver has no room for a run: the output is what it waits for.
  void Observe(const ThrottleSample& sample) override;
  ThrottleDecision Decide(const ThrottleSample& sample) override;
  // A trigger is a beginning of holding back.
  ThrottleCounters counters() const override { return counters_; }

 private:
  static constexpr Duration kWindow = std::chrono::milliseconds(250);
  static constexpr Pages kSmallestRun = ToPages(KiB(64));

  void NoteStage(const ThrottleSample& sample);
  // `waits`: from now until the next sample the output is what the scan waits for.
  void NoteRate(const ThrottleSample& sample, bool waits);

  const ThrottleOptions options_;
  ThrottleCounters counters_;
  bool holding_ = false;
  std::optional<TimePoint> last_push_;
  Pages largest_run_ = kUnlimitedPush;
  // Of the last sample.
  TimePoint seen_at_;
  Bytes sent_before_;
  bool waits_ = false;
  // Of this window.
  std::optional<TimePoint> window_begin_;
  Duration waited_{0};
  Bytes taken_;  // by the output meanwhile
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_ADAPTIVE_POLICY_H_
