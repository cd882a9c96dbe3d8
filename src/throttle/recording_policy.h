// Notes down what a policy is shown and what it decides.
#ifndef STILLFRAME_THROTTLE_RECORDING_POLICY_H_
#define STILLFRAME_THROTTLE_RECORDING_POLICY_H_

#include <memory>

#include "stillframe/save_trace.h"
#include "stillframe/throttle.h"

namespace stillframe {

// Stands in front of another policy and decides as that one does. The bounds are the trace's own
// (save_trace.h).
//
// Thread rule: one thread, the saver's.
class RecordingPolicy final : public ThrottlePolicy {
 public:
  // `trace` outlives it; its `start` is set before the first sample. What faults arrived earlier
  // count as having arrived then.
  RecordingPolicy(std::unique_ptr<ThrottlePolicy> policy, SaveTrace* trace);
  // Notes the faults that never ended.
  ~RecordingPolicy() override;

  std::string_view name() const override { return policy_->name(); }
  void Observe(const ThrottleSample& sample) override;
  ThrottleDecision Decide(const ThrottleSample& sample) override;
  ThrottleCounters counters() const override { return policy_->counters(); }

 private:
  void NoteFaults(const ThrottleSample& sample);
  void NoteFault(const FaultSeen& fault);
  void NoteLook(const ThrottleSample& sample, bool held, bool no_room);
  Duration SinceStart(TimePoint time) const;

  const std::unique_ptr<ThrottlePolicy> policy_;
  SaveTrace& trace_;
  Pages scanned_;
  std::vector<FaultSeen> waiting_;  // when last seen; never more than wait at one time
};

// `policy` itself where `trace` is null.
std::unique_ptr<ThrottlePolicy> RecordInto(SaveTrace* trace,
                                           std::unique_ptr<ThrottlePolicy> policy);

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_RECORDING_POLICY_H_
