#include "throttle/off_policy.h"

#include "throttle/policies.h"

namespace stillframe {

ThrottleDecision OffPolicy::Decide(const ThrottleSample&) { return {.push = kUnlimitedPush}; }

}  // namespace stillframe
