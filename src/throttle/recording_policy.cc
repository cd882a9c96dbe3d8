#include "throttle/recording_policy.h"

#include <algorithm>
#include <utility>

namespace stillframe {

RecordingPolicy::RecordingPolicy(std::unique_ptr<ThrottlePolicy> policy, SaveTrace* trace)
    : policy_(std::move(policy)), trace_(*trace) {}

RecordingPolicy::~RecordingPolicy() {
  for (const FaultSeen& fault : waiting_) NoteFault(fault);
}

Duration RecordingPolicy::SinceStart(TimePoint time) const {
  return std::max(Duration(0), time - trace_.start);
}

void RecordingPolicy::NoteFault(const FaultSeen& fault) {
  if (trace_.faults.size() >= SaveTrace::kMostFaults) {
    ++trace_.faults_left_out;
    return;
  }
  trace_.faults.push_back({.arrival = SinceStart(fault.arrival),
                           .wait = std::max(Duration(0), fault.wait),
                           .address = fault.address,
                           .finished = fault.finished});
}

void RecordingPolicy::NoteFaults(const ThrottleSample& sample) {
  waiting_.clear();
  for (const FaultSeen& fault : sample.faults) {
    if (fault.finished) {
      NoteFault(fault);
    } else {
      waiting_.push_back(fault);
    }
  }
}

void RecordingPolicy::NoteLook(const ThrottleSample& sample, bool held, bool no_room) {
  scanned_ += sample.pushed;
  const Duration at = SinceStart(sample.now);
  trace_.length = std::max(trace_.length, at);
  if (!trace_.looks.empty()) {
    const TracedLook& last = trace_.looks.back();
    const bool alike = last.held == held && last.no_room == no_room;
    // What changes all the time is thinned out as well, once there is much of it.
    const Duration apart = alike ? trace_.look_interval : trace_.look_interval / 8;
    if (at < last.at + apart) return;
  }
  if (trace_.looks.size() >= SaveTrace::kMostLooks) {
    size_t kept = 0;
    for (size_t i = 0; i < trace_.looks.size(); i += 2) trace_.looks[kept++] = trace_.looks[i];
    trace_.looks.resize(kept);
    trace_.look_interval *= 2;
  }
  trace_.looks.push_back({.at = at,
                          .stage_used = sample.stage_used,
                          .sent = sample.sent,
                          .scanned = scanned_,
                          .held = held,
                          .no_room = no_room});
}

void RecordingPolicy::Observe(const ThrottleSample& sample) {
  policy_->Observe(sample);
  trace_.counters = policy_->counters();
  NoteFaults(sample);
  NoteLook(sample, false, true);
}

ThrottleDecision RecordingPolicy::Decide(const ThrottleSample& sample) {
  const ThrottleDecision decision = policy_->Decide(sample);
  trace_.counters = policy_->counters();
  NoteFaults(sample);
  NoteLook(sample, decision.push.count == 0, false);
  return decision;
}

std::unique_ptr<ThrottlePolicy> RecordInto(SaveTrace* trace,
                                           std::unique_ptr<ThrottlePolicy> policy) {
  if (trace == nullptr) return policy;
  return std::make_unique<RecordingPolicy>(std::move(policy), trace);
}

}  // namespace stillframe
