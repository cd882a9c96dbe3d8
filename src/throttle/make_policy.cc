#include "stillframe/throttle.h"
#include "throttle/codel_policy.h"
#include "throttle/duty_policy.h"
#include "throttle/occupancy_policy.h"
#include "throttle/off_policy.h"
#include "throttle/ramp_policy.h"
#include "throttle/skip_policy.h"

namespace stillframe {

Result<std::unique_ptr<ThrottlePolicy>> MakeThrottlePolicy(const ThrottleOptions& options) {
  using std::chrono::hours;
  using std::chrono::microseconds;
  if (options.policy == "off") return std::make_unique<OffPolicy>();
  if (options.policy == "aimd") return std::make_unique<DutyPolicy>(options);
  if (options.policy == "codel") return std::make_unique<CodelPolicy>(options);
  if (options.policy == "occupancy") return std::make_unique<OccupancyPolicy>(options);
  if (options.policy == "ramp") return std::make_unique<RampPolicy>();
  if (options.policy != "skip") {
    return Fail(ErrorCode::kUsage, "unknown throttle policy '" + options.policy + "'",
                "use skip, ramp or off");
  }
  const bool in_range = options.fault_limit >= microseconds(1) && options.fault_limit <= hours(1) &&
                        options.poll_time >= microseconds(1) && options.poll_time <= hours(1) &&
                        options.poll_count >= 1 && options.poll_count <= 1'000'000'000 &&
                        options.force_after >= microseconds(1);
  if (!in_range) {
    return Fail(ErrorCode::kUsage, "a limit of the throttle is outside its range",
                "times from 1us to 1h, a poll count from 1 to 1000000000");
  }
  return std::make_unique<SkipPolicy>(options);
}

}  // namespace stillframe
