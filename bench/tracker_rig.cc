#include "tracker_rig.h"

#include "support/machine.h"

namespace stillframe::bench {
namespace {

constexpr Duration kIdle = std::chrono::milliseconds(50);

}  // namespace

TrackerRig::TrackerRig(const Target& target, const FaultChannel& channel, AddressRange range,
                       TrackerWait wait)
    : armed_(target, channel),
      stage_(MakeMapped<Stage>(MiB(64))),
      log_(MakeMapped<FaultLog>()),
      tracker_(MakeMapped<FaultTracker>(channel, target, *stage_, *log_, MonotonicClock(),
                                        FaultTracker::Options{})) {
  tracker_thread_.emplace(channel, *tracker_, *stage_, wait);
  Mapping mapping;
  mapping.range = range;
  mapping.readable = true;
  mapping.writable = true;
  std::vector<PlannedMapping> plan = {
      {.mapping = mapping, .treatment = Treatment::kArm, .saved = range, .reason = {}}};
  OrDie("registering", armed_.Register(&plan));
  tracked_ = armed_.MakeTracked(plan);
  OrDie("arming", armed_.Arm(plan, tracked_.get()));
  tracker_->SetMemory(tracked_.get());
  tracker_->SetMode(FaultTracker::Mode::kServing);
  drop_thread_ = std::thread([this] { DropStaged(); });
}

TrackerRig::~TrackerRig() {
  tracker_->SetMode(FaultTracker::Mode::kOpening);
  armed_.Release(tracked_.get());
  tracker_thread_.reset();
  stopping_ = true;
  stage_->WakeAll();
  drop_thread_.join();
}

void TrackerRig::DropStaged() {
  while (!stopping_) {
    // As the saver would: the log's records are few.
    log_->Collect(MonotonicClock().Now());
    while (const auto staged = stage_->NextFaulted()) {
      stage_->Release(*staged);
      staged_.fetch_add(1, std::memory_order_relaxed);
    }
    stage_->WaitForStaged(kIdle);
  }
}

}  // namespace stillframe::bench
