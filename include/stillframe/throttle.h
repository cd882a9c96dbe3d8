// When the linear scan may push pages that nobody faulted on: a sample in, a decision out.
#ifndef STILLFRAME_THROTTLE_H_
#define STILLFRAME_THROTTLE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// One fault, as the saver sees it.
struct FaultSeen {
  // Counted from 0 in the order of arrival; names the fault from sample to sample.
  uint64_t number = 0;
  TargetAddress address = {};  // of the page, as the writer sees it
  TimePoint arrival;           // at the tracker
  Duration wait{0};            // until it was opened, or so far
  bool finished = false;
};

// What the saver saw since it last asked.
struct ThrottleSample {
  TimePoint now;
  // The faults that finished since the last sample, and those that still wait, each in the order of
  // arrival. Valid during the call only.
  std::span<const FaultSeen> faults = {};
  // Why the saver asks again.
  enum class Reason {
    kFirst,        // nothing happened yet
    kPushed,       // a run was pushed
    kPollFault,    // a poll ended with a fault
    kPollTimeout,  // a poll ran out
  } reason = Reason::kFirst;
  Pages pushed{0};  // by the scan since the last sample
  Bytes stage_used{0};
  Bytes stage_size{0};
  Bytes sent{0};  // to the output, so far
};

struct ThrottleDecision {
  // How many pages the scan may push now, at most: what is more than one run of the saver (256 KiB,
  // or one huge page) is cut to that, and the policy is asked again. Zero: poll for faults instead.
  Pages push;
  // With push zero: for how long at most; a fault ends it early.
  Duration poll{0};
};

struct ThrottleCounters {
  uint64_t triggers = 0;  // how often a slow fault began or renewed the holding back
  uint64_t polls = 0;     // iterations spent polling
  uint64_t forced = 0;    // runs pushed only because nothing had been for too long
};

// A policy. It never sleeps, never reads a clock and starts no thread, so that a simulator can
// drive it. Thread rule: one thread.
class ThrottlePolicy {
 public:
  virtual ~ThrottlePolicy() = default;
  virtual std::string_view name() const = 0;
  // Takes note of a sample without deciding anything: the saver can't push at present, whatever the
  // policy says.
  virtual void Observe(const ThrottleSample& sample) = 0;
  // Takes note of a sample and decides.
  virtual ThrottleDecision Decide(const ThrottleSample& sample) = 0;
  virtual ThrottleCounters counters() const = 0;
};

struct ThrottleOptions {
  std::string policy = "skip";  // skip, ramp, adaptive or off
  Duration fault_limit = std::chrono::milliseconds(5);
  Duration poll_time = std::chrono::milliseconds(5);
  uint64_t poll_count = 200;
  Duration force_after = std::chrono::seconds(5);
};

// kUsage for an unknown policy or a limit outside its range.
Result<std::unique_ptr<ThrottlePolicy>> MakeThrottlePolicy(const ThrottleOptions& options);

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_H_
