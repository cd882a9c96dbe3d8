#include "target/tracer_priority.h"

#include <sched.h>

namespace stillframe {
namespace {

constexpr int kAhead = SCHED_FIFO | SCHED_RESET_ON_FORK;
// To take the flag away again needs CAP_SYS_NICE, which going ahead does not (RLIMIT_RTPRIO).
constexpr int kBack = SCHED_OTHER | SCHED_RESET_ON_FORK;

void SetPolicy(int policy, int priority) {
  const sched_param parameter{.sched_priority = priority};
  sched_setscheduler(0, policy, &parameter);
}

}  // namespace

void GetAhead() {
  const int policy = sched_getscheduler(0);
  if (policy == SCHED_OTHER || policy == kBack) SetPolicy(kAhead, 1);
}

StepBack::StepBack() : was_ahead_(sched_getscheduler(0) == kAhead) {
  if (was_ahead_) SetPolicy(kBack, 0);
}

StepBack::~StepBack() {
  if (was_ahead_) SetPolicy(kAhead, 1);
}

}  // namespace stillframe
