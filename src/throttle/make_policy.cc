#include "stillframe/throttle.h"
#include "throttle/adaptive_policy.h"
#include "throttle/off_policy.h"
#include "throttle/ramp_policy.h"
#include "throttle/skip_policy.h"

namespace stillframe {

Result<std::unique_ptr<ThrottlePolicy>> MakeThrottlePolicy(const ThrottleOptions& options) {
  using std::chrono::hours;
  using std::chrono::microseconds;
  const bool in_range = options.fault_limit >= microseconds(1) && options.fault_limit <= hours(1) &&
                        options.poll_time >= microseconds(1) && options.poll_time <= hours(1) &&
                        options.poll_count >= 1 && options.poll_count <= 1'000'000'000 &&
                        options.force_after >= microseconds(1);
  if (!in_range) {
    return Fail(ErrorCode::kUsage, "a limit of the throttle is outside its range",
                "times from 1us to 1h, a poll count from 1 to 1000000000");
  }
  if (options.policy == "skip") return std::make_unique<SkipPolicy>(options);
  if (options.policy == "ramp") return std::make_unique<RampPolicy>();
  if (options.policy == "adaptive") return std::make_unique<AdaptivePolicy>(options);
  if (options.policy == "off") return std::make_unique<OffPolicy>();
  return Fail(ErrorCode::kUsage, "unknown throttle policy '" + options.policy + "'",
              "use skip, ramp, adaptive or off");
}

}  // namespace stillframe
