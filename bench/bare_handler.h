// The least that can serve write faults: a thread that reads one, copies its page and opens it.
#ifndef STILLFRAME_BENCH_BARE_HANDLER_H_
#define STILLFRAME_BENCH_BARE_HANDLER_H_

#include <atomic>
#include <vector>

#include "base/service_thread.h"
#include "fault/fault_channel.h"
#include "stillframe/target.h"

namespace stillframe::bench {

// What the tracker is held against. It proves nothing, passes nothing on, and knows no events; its
// thread has the tracker's priority.
//
// Thread rule: one thread.
class BareHandler {
 public:
  // Arms the range, and serves it until it is destroyed. `spins`: never sleeps.
  BareHandler(const Target& target, const FaultChannel& channel, AddressRange range, bool spins);
  ~BareHandler();
  BareHandler(const BareHandler&) = delete;
  BareHandler& operator=(const BareHandler&) = delete;

 private:
  void Serve(bool spins);

  const Target& target_;
  const FaultChannel& channel_;
  const AddressRange range_;
  std::vector<std::byte> page_;
  std::atomic<bool> stopping_ = false;
  ServiceThread thread_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_BARE_HANDLER_H_
