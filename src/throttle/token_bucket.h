// Bounds bytes per second. Never sleeps: it says how long to wait.
#ifndef STILLFRAME_THROTTLE_TOKEN_BUCKET_H_
#define STILLFRAME_THROTTLE_TOKEN_BUCKET_H_

#include "stillframe/units.h"

namespace stillframe {

// Over any stretch of time t no more than rate * t + burst + one spending goes out. A spending
// larger than what is there puts the bucket into debt, so that no one has to be split to fit; the
// next one waits until the debt is paid.
//
// Thread rule: one thread.
class TokenBucket {
 public:
  // `rate`: bytes per second, more than zero. `burst`: what an idle bucket fills up to.
  TokenBucket(Bytes rate, Bytes burst, TimePoint now);

  // How long from `now` until something may be spent; zero: now.
  Duration TimeUntilReady(TimePoint now);
  void Spend(Bytes bytes, TimePoint now);

 private:
  void Refill(TimePoint now);

  const double rate_;   // bytes per ns
  const double burst_;  // bytes
  double tokens_;       // bytes; negative: debt
  TimePoint filled_at_;
};

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_TOKEN_BUCKET_H_
