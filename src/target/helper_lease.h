// Tells whether a helper process may be killed, in memory that it shares with the one that started
// it.
#ifndef STILLFRAME_TARGET_HELPER_LEASE_H_
#define STILLFRAME_TARGET_HELPER_LEASE_H_

#include <atomic>
#include <cstdint>

namespace stillframe {

// Held by the helper for as long as the target needs it alive: a thread has our registers in it, or
// there is a child to be reaped. It can be held more than once. Lock-free; no allocation.
class HelperLease {
 public:
  // By the helper. False: it is about to be killed, and must not begin.
  bool Take() {
    int32_t held = held_.load();
    while (held >= 0) {
      if (held_.compare_exchange_weak(held, held + 1)) return true;
    }
    return false;
  }
  // Once for each Take that succeeded.
  void Drop() { held_.fetch_sub(1); }

  // By whoever started the helper. True: it holds none and will never get one, so the target does
  // not need it.
  bool Revoke() {
    int32_t held = 0;
    return held_.compare_exchange_strong(held, kRevoked) || held == kRevoked;
  }

 private:
  static constexpr int32_t kRevoked = -1;
  std::atomic<int32_t> held_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_HELPER_LEASE_H_
