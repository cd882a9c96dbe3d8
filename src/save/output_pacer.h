// Sleeps before a write, so that the output stays within its bandwidth.
#ifndef STILLFRAME_SAVE_OUTPUT_PACER_H_
#define STILLFRAME_SAVE_OUTPUT_PACER_H_

#include <atomic>
#include <optional>

#include "base/clock.h"
#include "stillframe/error.h"
#include "stillframe/units.h"
#include "sys/event_fd.h"
#include "throttle/token_bucket.h"

namespace stillframe {

// Thread rule: Before by the thread that writes; Interrupt from any, async-signal-safe.
class OutputPacer {
 public:
  // `rate`: bytes per second; zero: no limit.
  OutputPacer(Bytes rate, const Clock& clock);

  // The largest write that keeps the output even: a twentieth of a second's worth, whole pages, at
  // least one.
  Bytes LargestWrite() const { return largest_write_; }
  // Returns when `bytes` may go out. kInterrupted after Interrupt.
  Result<void> Before(Bytes bytes);
  void Interrupt();

 private:
  const Clock& clock_;
  const Bytes largest_write_;
  std::optional<TokenBucket> bucket_;
  std::atomic<bool> interrupted_ = false;
  EventFd interrupt_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_OUTPUT_PACER_H_
