// The tracker of a simulated save: serves faults as FaultTracker does.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_TRACKER_H_
#define STILLFRAME_EVALUATE_SIMULATOR_TRACKER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "evaluate/simulator/world.h"

namespace stillframe::evaluate {

// Reads up to 16 faults, goes through all that wait, one at a time, and sleeps.
class SimulatedTracker {
 public:
  explicit SimulatedTracker(SimulatedWorld& world) : world_(world) {}

  Duration next() const { return next_; }
  void Step();
  void OnFault(size_t writer);
  void OnScanOpened();
  void OnRoom();

  // As FaultLog: those that ended since the last call, and those that wait, by their arrival. Valid
  // until the next call.
  std::span<const FaultSeen> Collect();
  uint64_t arrivals() const { return arrivals_; }

 private:
  struct Waiting {
    size_t writer;
    uint64_t number;
    Duration arrival;
    bool counted_full = false;
    bool done = false;
  };

  void Read();
  // Goes on with the faults that wait, from `time` on.
  void ServeFrom(Duration time);
  // Begins with the fault at position_; how long that takes, or none where it must wait.
  std::optional<Duration> Begin(Waiting& fault);
  void FinishOne();
  void Rest(Duration time);
  void Wake();

  SimulatedWorld& world_;
  Duration next_ = kNever;
  bool asleep_ = true;
  bool serving_ = false;  // position_ is being served until next_
  bool copying_ = false;  // and its page is copied, not just opened
  bool wants_room_ = false;
  bool awaits_scan_ = false;
  std::deque<size_t> unread_;  // writers
  std::vector<Waiting> waiting_;
  size_t position_ = 0;
  uint64_t arrivals_ = 0;
  std::vector<FaultSeen> ended_;
  std::vector<FaultSeen> seen_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_TRACKER_H_
