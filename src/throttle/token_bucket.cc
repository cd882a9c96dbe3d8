#include "throttle/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace stillframe {

TokenBucket::TokenBucket(Bytes rate, Bytes burst, TimePoint now)
    : rate_(static_cast<double>(rate.count) / 1e9),
      burst_(static_cast<double>(burst.count)),
      tokens_(burst_),
      filled_at_(now) {}

void TokenBucket::Refill(TimePoint now) {
  if (now <= filled_at_) return;
  tokens_ = std::min(burst_, tokens_ + rate_ * static_cast<double>((now - filled_at_).count()));
  filled_at_ = now;
}

Duration TokenBucket::TimeUntilReady(TimePoint now) {
  Refill(now);
  if (tokens_ >= 0) return Duration(0);
  return Duration(static_cast<int64_t>(std::ceil(-tokens_ / rate_)));
}

void TokenBucket::Spend(Bytes bytes, TimePoint now) {
  Refill(now);
  tokens_ -= static_cast<double>(bytes.count);
}

}  // namespace stillframe
