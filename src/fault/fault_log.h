// When each fault happened: written by the tracker as it happens, read by the saver, who throttles
// itself by it.
#ifndef STILLFRAME_FAULT_FAULT_LOG_H_
#define STILLFRAME_FAULT_FAULT_LOG_H_

#include <atomic>
#include <cstdint>
#include <span>

#include "base/mapped_memory.h"
#include "base/spsc_ring.h"
#include "fault/fault_queue.h"
#include "stillframe/throttle.h"
#include "stillframe/units.h"
#include "sys/event_fd.h"

namespace stillframe {

// One fault, from its arrival to its end.
struct FaultRecord : FaultQueueNode {
  uint64_t number;
  TargetAddress page;
  TimePoint arrival;
  std::atomic<int64_t> ended_ns;  // since the clock's epoch; 0: still waiting
};

// Thread rule: Arrive and End by the tracker; Collect and WaitForArrival by the saver. The
// tracker's side never waits and never allocates: records come from a fixed pool, and a fault that
// finds it empty goes unrecorded and is counted.
class FaultLog {
 public:
  // Enough for as many faults as can arrive between two looks of a saver that is busy with one run.
  static constexpr size_t kRecords = 8192;

  FaultLog();

  // Null when the pool is empty.
  FaultRecord* Arrive(TargetAddress page, TimePoint now);
  void End(FaultRecord* record, TimePoint now);
  uint64_t arrivals() const { return arrivals_.load(std::memory_order_acquire); }
  uint64_t unrecorded() const { return unrecorded_.load(std::memory_order_relaxed); }

  // The faults that ended since the last call, and those still waiting, each in the order of
  // arrival. Valid until the next call.
  std::span<const FaultSeen> Collect(TimePoint now);
  // True when a fault arrived since the last call to this or, else, does so within `timeout`.
  bool WaitForArrival(Duration timeout);
  // Ends a WaitForArrival from any thread.
  void Interrupt() { arrived_.Notify(); }

 private:
  // Written by the tracker.
  std::atomic<uint64_t> arrivals_ = 0;
  std::atomic<uint64_t> unrecorded_ = 0;

  // Between the two.
  FaultQueue queue_;
  SpscRing<FaultRecord*> free_;
  std::atomic<bool> somebody_waits_ = false;
  EventFd arrived_;

  // The saver's.
  MappedArray<FaultRecord> records_;
  MappedArray<FaultRecord*> waiting_;  // taken from the queue and not ended when last seen
  size_t waiting_count_ = 0;
  MappedArray<FaultSeen> seen_;
  uint64_t arrivals_seen_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_FAULT_FAULT_LOG_H_
