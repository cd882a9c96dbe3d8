// The scan of a simulated save: asks the policy as LinearSaver does.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_SAVER_H_
#define STILLFRAME_EVALUATE_SIMULATOR_SAVER_H_

#include <cstdint>

#include "evaluate/simulator/world.h"

namespace stillframe::evaluate {

class SimulatedSaver {
 public:
  SimulatedSaver(SimulatedWorld& world, ThrottlePolicy& policy);

  Duration next() const { return next_; }
  void Step();
  void OnArrival();
  void OnRoom();
  // Every page is saved.
  bool done() const { return done_; }

 private:
  enum class State { kBuffers, kPolling, kPushing };

  ThrottleSample Sample();
  void TakeBuffer();
  void Ask();
  void Poll();
  void Push(Pages limit);
  void FinishRun();
  // CPU time as it passes by the clock, with the turns of others in it.
  Duration Elapsed(Duration cpu);

  SimulatedWorld& world_;
  ThrottlePolicy& policy_;
  State state_ = State::kBuffers;
  Duration next_{0};
  bool wants_room_ = false;
  bool done_ = false;
  uint64_t cursor_ = 0;  // all below is saved
  Pages pushed_;
  uint64_t arrivals_seen_ = 0;
  Duration poll_end_{0};
  Duration slice_left_;
  ThrottleSample::Reason reason_ = ThrottleSample::Reason::kFirst;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_SAVER_H_
