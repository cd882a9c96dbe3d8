// The CRIU-style rule: larger and larger chunks while nothing faults, small ones again at a fault.
#ifndef STILLFRAME_THROTTLE_RAMP_POLICY_H_
#define STILLFRAME_THROTTLE_RAMP_POLICY_H_

#include "stillframe/throttle.h"

namespace stillframe {

// The first chunk is 64 KiB, each one 64 KiB larger than the one before, up to 4 MiB; a fault sets
// it back to 64 KiB. Nothing ever waits. The rule is the one by which CRIU moves pages in the
// background of a lazy restore (criu/uffd.c, update_xfer_len): there a chunk in flight delays the
// page that somebody waits for.
//
// A chunk that is larger than a run of the saver is pushed in several, and the policy is asked in
// between: a fault cuts it short.
class RampPolicy final : public ThrottlePolicy {
 public:
  std::string_view name() const override { return "ramp"; }
  void Observe(const ThrottleSample& sample) override;
  ThrottleDecision Decide(const ThrottleSample& sample) override;
  // A trigger is a fall back to the smallest chunk.
  ThrottleCounters counters() const override { return counters_; }

 private:
  static constexpr Pages kStep = ToPages(KiB(64));
  static constexpr Pages kLargest = ToPages(MiB(4));

  ThrottleCounters counters_;
  Pages chunk_ = kStep;
  Pages left_ = kStep;        // of the chunk
  uint64_t faults_seen_ = 0;  // all with a lower number
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_RAMP_POLICY_H_
