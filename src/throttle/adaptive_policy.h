// Holds the scan back where that costs no time: while the output has enough to do with faulted
// pages.
#ifndef STILLFRAME_THROTTLE_ADAPTIVE_POLICY_H_
#define STILLFRAME_THROTTLE_ADAPTIVE_POLICY_H_

#include <optional>

#include "stillframe/throttle.h"

namespace stillframe {

// Two rules, both on what makes a fault wait for the scan once a tracker of its own copies its
// page:
//
// - From three quarters of the stage on nothing is pushed, until no more than a half is in use. The
//   scan's own share is at most a half, so what fills it are faulted pages: the output is busy with
//   them as it is, and a run in between would only delay the room that writers wait for.
// - A run is no larger than what the output takes within a fifth of the fault limit, since a page
//   cannot be written, and its slot not be freed, before the run that is being written has gone.
//   The rate is measured only while the output is what the scan waits for; while it isn't, runs are
//   as large as they can be. Never less than 64 KiB.
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
  static constexpr Duration kWindow = std::chrono::milliseconds(100);
  static constexpr Pages kSmallestRun = ToPages(KiB(64));

  void NoteStage(const ThrottleSample& sample);
  void NoteRate(const ThrottleSample& sample);

  const ThrottleOptions options_;
  ThrottleCounters counters_;
  bool holding_ = false;
  std::optional<TimePoint> last_push_;
  std::optional<TimePoint> window_begin_;
  Bytes sent_before_;          // at the window's begin
  bool output_bound_ = false;  // in this window
  Pages largest_run_;
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_ADAPTIVE_POLICY_H_
